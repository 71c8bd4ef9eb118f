"""What the ledger prints."""

from collections.abc import Iterable
from uuid import UUID

from producer.ledger.reconcile import Named
from producer.ledger.recover import Recovered
from producer.ledger.repair import Outcome
from producer.ledger.run import Ledger


def figures(ledger: Ledger) -> dict[str, int]:
    """Return the figures by their names, as `--json` prints them."""
    findings, totals = ledger.findings, ledger.totals
    return {
        "committed": findings.committed,
        "in_outbox": totals.in_outbox,
        "parked": totals.parked,
        "discarded": totals.discarded,
        "in_kafka": findings.in_kafka,
        "repeats": findings.repeats,
        "out_of_order": findings.out_of_order.count,
        "missing": findings.missing.count,
        "never_committed": findings.never_committed.count,
    }


def table(ledger: Ledger) -> str:
    """Return the figures in lines."""
    return "\n".join(f"{name.replace('_', ' '):<16}{n:>12,}" for name, n in figures(ledger).items())


def notes(ledger: Ledger) -> list[str]:
    """Return what the figures do not say: the events to look into, and what was not judged."""
    findings = ledger.findings
    lines = [
        *_named("missing", findings.missing),
        *_named("never committed", findings.never_committed),
        *_named("out of order", findings.out_of_order),
    ]
    if findings.removed:
        lines.append(f"Not in Kafka, because its retention may have removed them: {findings.removed:,}")
    if ledger.foreign:
        lines.append(
            f"Messages in the topic that are no events of ours or cannot be read: {ledger.foreign:,}"
        )
    return lines


def repair_notes(outcome: Outcome) -> list[str]:
    """Return what a repair has done, and of each event that it could not put back why."""
    lines = [f"Put back into the outbox: {outcome.put_back:,}"]
    lines += [f"Not put back: {count:,}: {reason}" for reason, count in outcome.refused.items()]
    lines += [
        f"  not put back: order {order} version {version}: {why}" for order, version, why in outcome.named
    ]
    return lines + _more(sum(outcome.refused.values()), outcome.named)


def recovery_notes(outcome: Recovered) -> list[str]:
    """Return what was put back into the orders, and of each order that was not why."""
    lines = [f"Put back into the orders: {outcome.orders:,}, with {outcome.events:,} events"]
    lines += [f"Not put back: {count:,}: {reason}" for reason, count in outcome.refused.items()]
    lines += [f"  not put back: order {order}: {why}" for order, why in outcome.named]
    return lines + _more(outcome.refused.total(), outcome.named)


def _named(what: str, events: Named) -> list[str]:
    lines = [
        f"  {what}: order {UUID(bytes=event.order_id)} version {event.version}" for event in events.first
    ]
    return lines + _more(events.count, events.first)


def _more(count: int, named: Iterable[object]) -> list[str]:
    left = count - len(list(named))
    return [f"  … and {left:,} more"] if left else []
