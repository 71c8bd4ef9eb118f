from dataclasses import replace
from uuid import UUID

from projector.readmodel.parking import BEHIND, sort
from tests.order_events import TEST_EVENT, Told
from tests.unit.projector.messages import log_of, message

GOOD, BAD = Told(UUID(int=1)), Told(UUID(int=2))


def test_unreadable_message_holds_back_what_follows_of_its_order_only() -> None:
    later = replace(BAD, version=2, status="confirmed")
    messages = [
        message(BAD, offset=0),
        message(b"{", offset=1, key=BAD.key),
        message(GOOD, offset=2),
        message(later, offset=3),
    ]
    found = sort(messages, parked=set())
    assert [each.offset for each in found.events] == [0, 2]
    assert [(letter.message.offset, letter.error) for letter in found.letters] == [
        (1, "not JSON"),
        (3, BEHIND),
    ]


def test_order_that_is_parked_stays_parked() -> None:
    found = sort(log_of(0, [BAD, GOOD]), parked={str(BAD.order_id)})
    assert [each.order_id for each in found.events] == [str(GOOD.order_id)]
    assert found.letters[0].error == BEHIND


def test_unreadable_message_without_an_order_holds_back_nothing() -> None:
    found = sort([message(b"{", offset=0), message(GOOD, offset=1)], parked=set())
    assert len(found.events) == len(found.letters) == 1


def test_what_is_not_about_orders_is_only_counted() -> None:
    found = sort([message(TEST_EVENT, key=BAD.key)], parked={str(BAD.order_id)})
    assert (found.events, found.letters, found.ignored) == ([], [], 1)


def test_what_is_on_record_as_parked_is_so_although_it_can_be_read() -> None:
    messages = log_of(0, [BAD, replace(BAD, version=2, status="confirmed"), GOOD])
    found = sort(messages, parked=set(), decided={(0, 0): "not JSON", (1, 2): "of another partition"})
    assert [letter.error for letter in found.letters] == ["not JSON", BEHIND]
    assert [each.order_id for each in found.events] == [str(GOOD.order_id)]


def test_what_is_on_record_as_discarded_holds_nothing_back() -> None:
    messages = [message(b"{", offset=0, key=BAD.key), message(BAD, offset=1)]
    found = sort(messages, parked=set(), decided={(0, 0): None})
    assert ([each.offset for each in found.events], found.letters, found.ignored) == ([1], [], 1)
