"""What the dispatcher relies on, asked of the outbox in memory and of the one in PostgreSQL alike.

A subclass has the fixture `shelf`: an empty outbox."""

from typing import Protocol

import pytest
from sqlalchemy.exc import SQLAlchemyError

from producer.relay.dispatch import DispatchOutbox


class Shelf(Protocol):
    """An outbox, and how it is filled."""

    @property
    def outbox(self) -> DispatchOutbox: ...
    def put(self, payload: str) -> None:
        """Store an event of a new order, due now."""

    def put_expired_keys(self, many: int) -> None: ...
    def break_down(self) -> None:
        """From now on the database does not answer."""


class OutboxContract:
    """The suite; pytest collects it where a subclass is called Test…"""

    @pytest.fixture
    def shelf(self) -> Shelf:
        raise NotImplementedError

    def test_each_due_row_is_claimed_once(self, shelf: Shelf) -> None:
        for number in range(5):
            shelf.put(f"{number}")
        claims = [shelf.outbox.claim(2) for _ in range(4)]
        assert [len(events) for events, _ in claims] == [2, 2, 1, 0]
        assert [blocked for _, blocked in claims] == [0] * 4
        payloads = [event.payload for events, _ in claims for event in events]
        assert sorted(payloads) == ["0", "1", "2", "3", "4"]

    def test_claimed_event_has_its_ids_as_text(self, shelf: Shelf) -> None:
        shelf.put("{}")
        ((event,), _) = shelf.outbox.claim(1)
        assert [len(event.id), len(event.order_id)] == [36, 36]
        assert event.id != event.order_id

    def test_row_is_due_until_it_is_claimed(self, shelf: Shelf) -> None:
        assert not shelf.outbox.has_due()
        shelf.put("{}")
        assert shelf.outbox.has_due()
        shelf.outbox.claim(1)
        assert not shelf.outbox.has_due()

    def test_parked_row_is_not_due(self, shelf: Shelf) -> None:
        shelf.put("{}")
        ((event,), _) = shelf.outbox.claim(1)
        shelf.outbox.park(event.id, "too large")
        assert not shelf.outbox.has_due()
        assert shelf.outbox.claim(1) == ([], 0)

    def test_held_row_is_not_due_at_once(self, shelf: Shelf) -> None:
        shelf.put("{}")
        ((event,), _) = shelf.outbox.claim(1)
        shelf.outbox.hold([event.id])
        assert not shelf.outbox.has_due()

    def test_expired_keys_are_deleted_up_to_a_number(self, shelf: Shelf) -> None:
        shelf.put_expired_keys(5)
        assert [shelf.outbox.delete_expired_keys(3) for _ in range(3)] == [3, 2, 0]

    def test_no_answer_is_an_error_of_the_database(self, shelf: Shelf) -> None:
        shelf.break_down()
        with pytest.raises(SQLAlchemyError):
            shelf.outbox.claim(1)
