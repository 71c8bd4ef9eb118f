"""`ledger --recover`: PostgreSQL was put back to an earlier time, and what came after it is in Kafka only."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Message
from flask.testing import FlaskClient

from tests.integration.producer.conftest import WELL, Execute, LedgerCommand, Place, Scalar, figures
from tests.shop import DELIVERY

SetBack = Callable[[str, list[Message]], None]


@pytest.fixture
def set_back(execute: Execute) -> SetBack:
    """Put an order back to its first version, as a restore does; its events are given."""

    def set_back(order_id: str, events: list[Message]) -> None:
        execute(
            "UPDATE orders SET status = 'placed', version = 1, updated_at = created_at, changed_at = '{}',"
            " event_id = :event WHERE id = :id",
            id=order_id,
            event=_first_event(events, order_id),
        )

    return set_back


@pytest.mark.usefixtures("topic")
def test_lost_orders_and_changes_are_stored_again(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    published: Callable[[int], list[Message]],
    execute: Execute,
    set_back: SetBack,
) -> None:
    lost, changed, kept = place(), place(), place()
    before = _order(api, changed)
    for order_id in (lost, changed):
        for status in DELIVERY[:2]:
            assert api.patch(f"/orders/{order_id}", json={"status": status}).status_code == 200
    published(7)
    then = [_order(api, order_id) for order_id in (lost, changed, kept)]
    execute("DELETE FROM orders WHERE id = :id", id=lost)
    set_back(changed, published(7))
    assert _order(api, changed) == before
    assert figures(ledger("--json"))["never_committed"] == 5
    done = ledger("--recover")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Put back into the orders: 2, with 5 events\n"
    assert [_order(api, order_id) for order_id in (lost, changed, kept)] == then
    assert figures(ledger("--json")) == WELL | {"committed": 7, "in_kafka": 7}
    assert "Put back into the orders: 0, with 0 events" in ledger("--recover").stdout
    for order_id in (lost, changed):  # and the next event follows the others
        assert api.patch(f"/orders/{order_id}", json={"status": DELIVERY[2]}).status_code == 200
    published(9)
    assert figures(ledger("--json")) == WELL | {"committed": 9, "in_kafka": 9}


@pytest.mark.usefixtures("topic")
def test_order_that_was_changed_otherwise_since_stays_as_it_is(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    published: Callable[[int], list[Message]],
    set_back: SetBack,
) -> None:
    order_id = place()
    for status in DELIVERY[:2]:
        assert api.patch(f"/orders/{order_id}", json={"status": status}).status_code == 200
    set_back(order_id, published(3))
    assert api.patch(f"/orders/{order_id}", json={"status": "cancelled"}).status_code == 200
    done = ledger("--recover")
    assert done.returncode == 1
    assert f"not put back: order {order_id}" in done.stdout
    assert _order(api, order_id)["status"] == "cancelled"


@pytest.mark.usefixtures("topic")
def test_order_that_was_changed_otherwise_to_the_same_version_is_named(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    published: Callable[[int], list[Message]],
    set_back: SetBack,
) -> None:
    order_id = place()
    assert api.patch(f"/orders/{order_id}", json={"status": "confirmed"}).status_code == 200
    set_back(order_id, published(2))
    assert api.patch(f"/orders/{order_id}", json={"status": "cancelled"}).status_code == 200
    done = ledger("--recover")
    assert done.returncode == 1
    assert f"not put back: order {order_id}: it was changed otherwise since" in done.stdout
    assert _order(api, order_id)["status"] == "cancelled"


@pytest.mark.usefixtures("topic")
def test_neither_of_two_changes_that_follow_is_taken(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    published: Callable[[int], list[Message]],
    set_back: SetBack,
) -> None:
    """A restore lost one, the order was changed otherwise, and a second restore lost that, too."""
    order_id = place()
    assert api.patch(f"/orders/{order_id}", json={"status": "cancelled"}).status_code == 200
    set_back(order_id, published(2))
    for status in DELIVERY[:2]:
        assert api.patch(f"/orders/{order_id}", json={"status": status}).status_code == 200
    set_back(order_id, published(4))
    done = ledger("--recover")
    assert done.returncode == 1
    assert f"not put back: order {order_id}: two changes in Kafka follow what is stored" in done.stdout
    assert _order(api, order_id)["status"] == "placed"


ODD: dict[str, dict[str, Any]] = {
    "a time of before the epoch": {
        "data": {"placed_at": "1969-12-31T23:59:59.000000Z"},
        "time": "1969-12-31T23:59:59.000000Z",
    },
    "a version that leaves out many": {"data": {"version": 2**31 - 1}},
    "a time without a zone": {"time": "2026-11-26T10:00:00"},
    "a time before the calendar": {"time": "0001-01-01T00:00:00+14:00"},
    "an unknown status": {"data": {"status": "refunded"}},
    "a field of its own": {"extra": 1},
    "another time": {"time": "2030-01-01T00:00:00.000000Z"},
}


@pytest.mark.usefixtures("topic")
def test_odd_events_are_named_and_keep_nothing_else_from_being_recovered(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    published: Callable[[int], list[Message]],
    write: Callable[..., None],
    execute: Execute,
) -> None:
    lost = place()
    (message,) = published(1)
    before = _order(api, lost)
    event = json.loads(message.value() or b"")
    forged = [str(uuid4()) for _ in ODD]
    for order_id, odd in zip(forged, ODD.values(), strict=True):
        data = event["data"] | {"order_id": order_id} | odd.get("data", {})
        write(json.dumps(event | odd | {"subject": order_id, "data": data}).encode(), order_id)
    execute("DELETE FROM orders WHERE id = :id", id=lost)
    done = ledger("--recover")
    assert done.returncode == 1, done.stderr
    assert "Put back into the orders: 1, with 1 events" in done.stdout
    assert all(f"not put back: order {order_id}" in done.stdout for order_id in forged)
    assert _order(api, lost) == before


@pytest.mark.usefixtures("topic")
def test_what_somebody_else_wrote_about_an_order_keeps_nothing_from_being_recovered(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    published: Callable[[int], list[Message]],
    write: Callable[..., None],
    set_back: SetBack,
) -> None:
    """Of the present version, of one that was lost, and of one that never was; before and after the order's own."""
    order_id = place()
    (first,) = published(1)
    event = json.loads(first.value() or b"")
    for version in (1, 2, 9):
        data = event["data"] | {"version": version, "status": "confirmed"}
        write(json.dumps(event | {"id": str(uuid4()), "data": data}).encode(), order_id)
    for status in DELIVERY[:2]:
        assert api.patch(f"/orders/{order_id}", json={"status": status}).status_code == 200
    events = published(6)
    then = _order(api, order_id)
    set_back(order_id, events)
    done = ledger("--recover")
    assert "Put back into the orders: 1, with 2 events" in done.stdout
    assert f"not put back: order {order_id}: an event between what is stored" in done.stdout
    assert done.returncode == 1
    assert _order(api, order_id) == then


@pytest.mark.usefixtures("topic")
def test_what_somebody_else_wrote_does_not_stand_for_the_orders_own_event(
    place: Place, ledger: LedgerCommand, published: Callable[[int], list[Message]], execute: Execute
) -> None:
    """The order's own has left the outbox and is nowhere: here the one in Kafka is made another's."""
    order_id = place()
    published(1)
    execute("UPDATE orders SET event_id = gen_random_uuid() WHERE id = :id", id=order_id)
    assert figures(ledger("--json")) == WELL | {
        "committed": 1, "in_kafka": 0, "missing": 1, "never_committed": 1,
    }  # fmt: skip
    timeline = ledger("--order", order_id)
    assert timeline.returncode == 1
    assert "NEVER COMMITTED" in timeline.stdout
    assert "MISSING" in timeline.stdout


@pytest.mark.usefixtures("topic")
def test_what_somebody_else_wrote_is_not_taken_for_an_order(
    place: Place,
    ledger: LedgerCommand,
    published: Callable[[int], list[Message]],
    write: Callable[..., None],
    scalar: Scalar,
) -> None:
    place()
    (message,) = published(1)
    event = json.loads(message.value() or b"")
    forged = str(uuid4())
    event |= {"subject": forged, "data": event["data"] | {"order_id": forged, "total": "1.00"}}
    write(json.dumps(event).encode(), forged)
    done = ledger("--recover")
    assert done.returncode == 1
    assert f"not put back: order {forged}" in done.stdout
    assert scalar("SELECT count(*) FROM orders") == 1


def _order(api: FlaskClient, order_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/orders/{order_id}").get_json()
    return found


def _first_event(messages: list[Message], order_id: str) -> str:
    events = [json.loads(message.value() or b"") for message in messages]
    return next(str(e["id"]) for e in events if e["subject"] == order_id and e["data"]["version"] == 1)
