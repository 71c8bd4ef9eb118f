"""The checks of `make chaos` must see what they are there for: each is shown a run with one thing wrong."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from tests.chaos import verdict
from tests.chaos.customers import Attempt, Outcome
from tests.chaos.observers import AWAY, Seen
from tests.chaos.verdict import Health, Stored

A, B = "order-a", "order-b"


def attempt(marker: str, *changes: tuple[str, int], at: float = 0.0, last: Outcome | None = None) -> Attempt:
    outcome = last or Outcome.ACKNOWLEDGED
    placed = sum(version == 1 for _, version in changes)
    return Attempt(
        marker, at, wanted=placed, first=outcome, last=outcome, changes=list(changes), ended=at + 0.1
    )


def event(order: str, version: int, at: float = 0.0) -> Seen:
    customer = {A: "1-1", B: "1-2"}.get(order, "?")
    return Seen(f"{order}-{version}", order, version, customer, f"{order} {version}".encode(), at)


WHOLE = [event(A, 1), event(B, 1), event(A, 2)]
ATTEMPTS = [attempt("1-1", (A, 1)), attempt("1-2", (B, 1)), attempt("1-3", (A, 2))]
STORED = {A: Stored(2, "1-1"), B: Stored(1, "1-2")}


def problems(seen: Sequence[Seen]) -> list[str]:
    return [
        *verdict.lost_orders(ATTEMPTS, STORED),
        *verdict.wrongly_answered(ATTEMPTS, STORED),
        *verdict.missing(ATTEMPTS, seen, "viewer 1"),
        *verdict.invented(STORED, seen, "viewer 1"),
        *verdict.mixed_up(STORED, seen, "viewer 1"),
        *verdict.out_of_order(seen, "viewer 1"),
        *verdict.changed_bytes(seen),
    ]


def test_run_in_which_all_is_well_has_no_problem() -> None:
    assert problems(WHOLE) == []


def test_repeat_is_no_problem_and_is_counted() -> None:
    seen = [*WHOLE, event(A, 1)]
    assert problems(seen) == []
    assert verdict.repeats(seen) == 1


def test_acknowledged_change_that_was_not_seen_is_missing() -> None:
    assert problems(WHOLE[:2]) == ["acknowledged, and viewer 1 never had it: 1, such as [\"('order-a', 2)\"]"]


def test_acknowledged_change_that_is_not_stored_is_lost() -> None:
    assert verdict.lost_orders(ATTEMPTS, {A: Stored(1, "1-1"), B: Stored(1, "1-2")}) != []
    assert verdict.lost_orders(ATTEMPTS, {A: Stored(2, "1-1")}) != []


def test_event_of_what_was_never_committed_is_invented() -> None:
    assert verdict.invented(STORED, [*WHOLE, event(B, 2)], "viewer 1") != []
    assert verdict.invented(STORED, [*WHOLE, event("order-c", 1)], "viewer 1") != []


def test_version_before_the_one_it_follows_is_out_of_order() -> None:
    assert verdict.out_of_order([event(A, 2), event(A, 1)], "viewer 1") != []
    assert verdict.out_of_order([event(A, 1), event(A, 3)], "viewer 1") != []


def test_other_bytes_and_another_id_are_seen() -> None:
    assert verdict.changed_bytes([*WHOLE, event(A, 1)._replace(payload=b"other")]) != []
    assert verdict.changed_bytes([*WHOLE, event(A, 1)._replace(event_id="other")]) != []


def test_figures_that_are_not_those_of_the_orders_are_wrong() -> None:
    orders = [("cancelled", 1, Decimal("5.00")), ("placed", 2, Decimal("64.10"))]
    answer = {"orders": 3, "by_status": {"placed": 2, "cancelled": 1}, "revenue": "64.10", "events": 4}
    assert verdict.wrong_figures(answer, orders) == []
    wrong = {"orders": 2, "by_status": {"placed": 3}, "revenue": "69.10"}
    for name, value in wrong.items():
        (told,) = verdict.wrong_figures(answer | {name: value}, orders)
        assert told.startswith(f"it answers {name}={value}, and the orders add up to ")
    assert len(verdict.wrong_figures({}, [])) == 3


def test_stored_order_of_a_refused_request_is_a_lie() -> None:
    refused = [attempt("1-2", last=Outcome.REFUSED)]
    assert verdict.wrongly_answered(refused, STORED) != []
    assert verdict.wrongly_answered([attempt("9-9", last=Outcome.REFUSED)], STORED) == []
    assert verdict.wrongly_answered([attempt("1-2", last=Outcome.UNKNOWN)], STORED) == []


def test_stored_change_that_was_refused_is_a_lie() -> None:
    refused = Attempt("1-3", 0.0, change=(A, 2), first=Outcome.REFUSED, last=Outcome.REFUSED)
    assert verdict.wrongly_answered([refused], STORED) != []
    assert verdict.wrongly_answered([replace(refused, change=(A, 3))], STORED) == []
    wanted_again = replace(refused, marker="1-4", first=Outcome.UNKNOWN, last=Outcome.UNKNOWN)
    assert verdict.wrongly_answered([refused, wanted_again], STORED) == []


def test_answer_with_the_order_of_another_is_seen() -> None:
    told = [attempt("1-1", (A, 1)), attempt("1-2", (A, 1))]
    assert len(verdict.wrongly_answered(told, {A: Stored(1, "1-1")})) == 2


def test_batch_that_was_stored_in_part_is_seen() -> None:
    unknown = Attempt("1-1", 0.0, wanted=3, first=Outcome.UNKNOWN, last=Outcome.UNKNOWN)
    assert verdict.wrongly_answered([unknown], {A: Stored(1, "1-1"), B: Stored(1, "1-1")}) != []
    assert verdict.wrongly_answered([unknown], {}) == []


def test_change_that_two_were_told_to_have_made_is_seen() -> None:
    assert verdict.wrongly_answered([attempt("1-3", (A, 2)), attempt("1-4", (A, 2))], STORED) != []


def test_stored_event_that_nobody_had_is_seen_also_when_its_customer_knows_nothing() -> None:
    assert verdict.never_seen(STORED, WHOLE, "viewer 1") == []
    assert verdict.never_seen(STORED, WHOLE[:2], "viewer 1") != []


def test_event_with_another_customers_data_is_seen() -> None:
    assert problems([*WHOLE, event(A, 1)._replace(customer="1-2")]) != []


def test_second_order_for_one_key_is_seen() -> None:
    stored = STORED | {"order-c": Stored(1, "1-2")}
    assert verdict.wrongly_answered(ATTEMPTS, stored) != []


def refused_at(at: float) -> Attempt:
    return replace(attempt("1-1", at=at, last=Outcome.REFUSED), was_answered_503=True)


def said(status: str, at: float) -> Health:
    return Health(at - 0.1, at, status)


def test_health_must_not_be_ok_while_orders_are_refused() -> None:
    refused = [refused_at(28.5 + n / 10) for n in range(30)]
    assert verdict.untrue_health(refused, [said("ok", 30)]) != []
    assert verdict.untrue_health(refused, [said("degraded", 30), said("unavailable", 30.5)]) == []


def test_health_must_not_be_ok_while_orders_wait_to_be_refused() -> None:
    """As with a database that is frozen: each refusal takes seconds."""
    slow = [
        replace(refused_at(20 + 5 * n + m / 10), ended=25 + 5 * n + m / 10)
        for n in range(4)
        for m in range(4)
    ]
    assert verdict.untrue_health(slow, [said("ok", 32)]) != []
    assert verdict.untrue_health(slow, [said("ok", 22)]) == []  # nothing had been refused yet
    assert verdict.untrue_health([*slow, attempt("1-9", (A, 1), at=31)], [said("ok", 32)]) == []


def test_health_may_be_ok_before_and_after_orders_are_refused() -> None:
    refused = [refused_at(28.5 + n / 10) for n in range(30)]
    assert verdict.untrue_health(refused, [said("ok", 28), said("ok", 32)]) == []
    between_two_outages = [*refused, *(refused_at(33.5 + n / 10) for n in range(30))]
    assert verdict.untrue_health(between_two_outages, [said("ok", 32.5)]) == []
    asked_before_and_answered_after = Health(28.0, 32.0, "ok")
    assert verdict.untrue_health(refused, [asked_before_and_answered_after]) == []


def test_health_must_not_be_unavailable_while_orders_are_taken() -> None:
    taken = [attempt(f"1-{n}", (f"order-{n}", 1), at=n / 10) for n in range(300)]
    assert verdict.untrue_health(taken, [said("unavailable", 15)]) != []
    assert verdict.untrue_health(taken[:100], [said("unavailable", 15)]) == []
    assert verdict.untrue_health([*taken, refused_at(16)], [said("unavailable", 15)]) == []


def test_late_event_must_have_been_announced() -> None:
    attempts, seen = [attempt("1-1", (A, 1))], [event(A, 1, at=90)]
    well = [said("ok", at) for at in range(100)]
    assert verdict.late_without_a_word(attempts, seen, [(0.0, "live")], well, "viewer 1") != []
    assert verdict.late_without_a_word(attempts, seen, [(9.0, "stale")], well, "viewer 1") == []
    assert verdict.late_without_a_word(attempts, seen, [(9.0, AWAY)], well, "viewer 1") == []
    told = [*well, said("degraded", 50.5)]
    assert verdict.late_without_a_word(attempts, seen, [(0.0, "live")], told, "viewer 1") == []
    assert verdict.late_without_a_word(attempts, [event(A, 1, at=5)], [], well, "viewer 1") == []


def test_longest_pause_counts_from_the_fault_to_the_end() -> None:
    attempts = [attempt("1-1", (A, 1), at=3.9), attempt("1-2", (B, 1), at=4.9)]
    assert verdict.longest_pause(attempts, 0.0, 7.0) == 4.0
