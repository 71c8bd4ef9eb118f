"""Known mistakes, to be put back into the product: each must be found within 2,000 seeds.

Where it is the SQL that is wrong, the fake PostgreSQL takes the wrong rule.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from confluent_kafka import KafkaException

from producer.domain.group_commit import GroupCommit
from producer.publishing.breaker import Breaker
from producer.publishing.produce import produce_event
from producer.publishing.publisher import Publisher
from producer.relay import dispatch
from producer.relay.dispatch import Dispatcher
from producer.relay.end_offsets import EndOffsets
from producer.relay.outbox import DueEvent
from producer.relay.readback import ReadBack
from producer.relay.readback_session import ReadBackSession
from producer.relay.topic_watch import TopicWatch
from tests.simulation.publish import world
from tests.simulation.publish.postgres import Postgres, Row, Session, Transaction
from tests.simulation.publish.processes import Relay, Shop
from tests.simulation.runner import Patch


def _world(**changes: Any) -> Patch:
    """Return a patch of World's own attributes."""

    @contextmanager
    def patched() -> Any:
        with ExitStack() as stack:
            for name, value in changes.items():
                stack.enter_context(patch.object(world.World, name, value))
            yield

    return patched


class PublishesBeforeCommit(Shop):
    def before_commit(self, permit: Any, events: list[Any]) -> None:
        permit.publish(events)


class GroupPublishesEarly(GroupCommit):
    def _store_group(self, group: Any) -> None:
        for waiting in group:
            waiting.after_commit()
        super()._store_group(group)


class GroupAnswersEarly(GroupCommit):
    def _store_group(self, group: Any) -> None:
        for waiting in group[1:]:
            waiting.settle(None)
            waiting.turn.set()
        super()._store_group(group)


class DeletesOnAcknowledge(Relay):
    def start(self) -> None:
        super().start()
        self.dispatcher._publish = self._publish_and_delete  # type: ignore[method-assign]

    def _publish_and_delete(self, event: DueEvent, producer: Any, on_failure: Any) -> None:
        def on_delivery(error: Any, message: Any) -> None:
            if error is None:
                self.outbox.delete([event.id])
            else:
                on_failure(event, error)

        produce_event(producer, "orders", event.id, event.order_id, event.payload, on_delivery)


class DeletesOnHandOver(Relay):
    def start(self) -> None:
        super().start()
        publish = self.dispatcher._publish

        def publish_and_delete(event: DueEvent, producer: Any, on_failure: Any) -> None:
            publish(event, producer, on_failure)
            self.outbox.delete([event.id])

        self.dispatcher._publish = publish_and_delete  # type: ignore[method-assign]


class ClaimsByCursor(Postgres):
    """WHERE id > :last, of each relay; a row whose lease is over is claimed again."""

    def claim(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        rows = super().claim(transaction, p)
        for is_blocked, key, _, _ in rows:
            if not is_blocked:
                self._cursors()[transaction.owner] = max(key, self._cursors().get(transaction.owner, ""))
        return rows

    def is_claimable(self, transaction: Transaction, row: Row, now: float) -> bool:
        is_new = row.attempts > 0 or row.id > self._cursors().get(transaction.owner, "")
        return is_new and super().is_claimable(transaction, row, now)

    def _cursors(self) -> dict[str, str]:
        cursors: dict[str, str] = self.__dict__.setdefault("cursors", {})
        return cursors


class ClaimsEarliestDue(Postgres):
    def earliest(self, row: Row, seen: Mapping[str, Row], now: float) -> Row | None:
        due = {key: each for key, each in seen.items() if each.parked_at is None and each.due_at <= now}
        return super().earliest(row, due, now)


class ClaimsBehindParked(Postgres):
    def earliest(self, row: Row, seen: Mapping[str, Row], now: float) -> Row | None:
        unparked = {key: each for key, each in seen.items() if each.parked_at is None}
        return super().earliest(row, unparked, now)


class CountsBehindParked(Postgres):
    def oldest_s(self) -> float | None:
        created = [row.created_at for row in self.outbox.values() if row.parked_at is None]
        return self.clock() - min(created) if created else None


class KeepsAge(Postgres):
    def requeue(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        old = self.outbox.get(str(p["id"]))
        rows = super().requeue(transaction, p)
        new = transaction.writes.get(("outbox", str(p["id"])))
        if old and new:
            transaction.writes["outbox", old.id] = replace(new, created_at=old.created_at)
        return rows


@contextmanager
def _one_statement_check() -> Any:
    """SELECT orders.*, EXISTS (SELECT FROM outbox ...) ... FOR UPDATE: the subquery sees the old snapshot."""
    get = Session.get

    def get_and_look(self: Session, model: Any, key: Any, with_for_update: bool) -> Any:
        self.saw = None  # type: ignore[attr-defined]
        self._statement("SELECT order and EXISTS outbox FOR UPDATE")
        self.saw = self.contains(str(key))  # type: ignore[attr-defined]
        self._statement = lambda name: None  # type: ignore[method-assign]
        found = get(self, model, key, with_for_update)
        del self._statement
        return found

    def scalar(self: Session, statement: Any, parameters: Any) -> Any:
        return None if self.saw else 0  # type: ignore[attr-defined]

    with patch.object(Session, "get", get_and_look), patch.object(Session, "scalar", scalar):
        yield


@contextmanager
def _checks_before_lock() -> Any:
    """Ask for earlier versions first, then lock the order."""
    get = Session.get

    def look_and_get(self: Session, model: Any, key: Any, with_for_update: bool) -> Any:
        self.saw = self.contains(str(key))  # type: ignore[attr-defined]
        return get(self, model, key, with_for_update)

    def scalar(self: Session, statement: Any, parameters: Any) -> Any:
        return None if self.saw else 0  # type: ignore[attr-defined]

    with patch.object(Session, "get", look_and_get), patch.object(Session, "scalar", scalar):
        yield


@contextmanager
def _believes_negative_offsets() -> Any:
    """Take -1001 for an end. It is before every position, so a log that was cut back must not be noticed either."""
    ask = EndOffsets.ask

    def ask_from_nowhere(self: EndOffsets, positions: Mapping[int, int], *stuck_s: float) -> set[int]:
        return ask(self, dict.fromkeys(positions, -2000), *stuck_s)

    def _end(self: EndOffsets, partition: int, question: Any) -> int | None:
        try:
            end: int = question.answer.result().offset
        except KafkaException:
            return None
        return end

    with patch.object(EndOffsets, "_end", _end), patch.object(EndOffsets, "ask", ask_from_nowhere):
        yield


def _publishes_late() -> AbstractContextManager[object]:
    publish = Publisher.publish

    def publish_late(self: Publisher, events: Any, until: float, permit: Any) -> None:
        publish(self, events, float("inf"), permit)

    return patch.object(Publisher, "publish", publish_late)


def _worst_staleness(self: ReadBack) -> dict[int, float]:
    now = self._clock()
    worst = min(self._proven_at.values(), default=0.0)
    return dict.fromkeys(self._proven_at, now - worst)


def _parks_batches() -> AbstractContextManager[object]:
    return patch.object(Dispatcher, "_on_batch_failure", Dispatcher._on_single_failure)


MUTANTS: Mapping[str, tuple[str, Patch]] = {
    "publish-before-commit": (
        "the shop publishes inside the transaction", _world(mutant_shop=PublishesBeforeCommit)),
    "group-publishes-early": (
        "the leader publishes the events of its group before the commit",
        _world(mutant_group_commit=GroupPublishesEarly)),
    "group-answers-early": (
        "those who wait for the leader are answered before the commit",
        _world(mutant_group_commit=GroupAnswersEarly)),
    "delete-on-acknowledge": (
        "the relay deletes a row when Kafka acknowledges its event",
        _world(mutant_relay=DeletesOnAcknowledge, reports_success=True)),
    "delete-on-hand-over": (
        "the relay deletes a row when it has handed its event to Kafka", _world(mutant_relay=DeletesOnHandOver)),
    "id-cursor": ("the relay claims WHERE id > the last one", _world(mutant_postgres=ClaimsByCursor)),
    "earliest-due": (
        "the relay claims the earliest due row of an order, not the earliest of all",
        _world(mutant_postgres=ClaimsEarliestDue)),
    "past-parked": ("the relay claims rows behind a parked one", _world(mutant_postgres=ClaimsBehindParked)),
    "check-in-lock": (
        "an earlier version is looked for in the statement that locks the order", _one_statement_check),
    "check-before-lock": ("an earlier version is looked for before the order is locked", _checks_before_lock),
    "P1-successor": (
        "a row behind a parked one counts as a backlog", _world(mutant_postgres=CountsBehindParked)),
    "P1-requeue": ("a requeued row keeps its age", _world(mutant_postgres=KeepsAge)),
    "P4-partition": (
        "a new partition is not noticed",
        lambda: patch.object(TopicWatch, "check", lambda self, partitions: None)),
    "P5-end": ("an end offset of -1001 is taken for an end", _believes_negative_offsets),
    "P6-partition": (
        "a partition that is not read back holds up the others",
        lambda: patch.object(ReadBack, "staleness", _worst_staleness)),
    "silent-reader": (
        "a read-back to which nothing comes is kept",
        lambda: patch.object(ReadBackSession, "_check_progress", lambda self, *_: None)),
    "P7-client": (
        "a shop's Kafka client that broke down is not replaced",
        lambda: patch.object(Publisher, "_replace", lambda self, unusable: None)),
    "breaker-opens": (
        "the breaker does not count failures", lambda: patch.object(Breaker, "failed", lambda self, permit: None)),
    "breaker-closes": (
        "the breaker does not hear of success",
        lambda: patch.object(Breaker, "succeeded", lambda self, permit: None)),
    "P13-probe": (
        "a probe is used up by a request that publishes nothing",
        lambda: patch.object(Breaker, "release", lambda self, permit: None),
    ),
    "old-proof": (
        "the relay claims with a proof of any age", lambda: patch.object(dispatch, "MAX_STALENESS_S", 1e9)),
    "P12-batch": ("an event is parked when its batch is refused", _parks_batches),
    "late-publish": ("a shop that was frozen past its grace publishes all the same", _publishes_late),
}  # fmt: skip
