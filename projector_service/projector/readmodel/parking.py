"""Which messages count and which are parked: a message that cannot be read holds back its own order, and no other."""

from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType
from typing import NamedTuple

from projector.readmodel.batch import Message

BEHIND = "behind a parked message of the same order"

Decided = Mapping[tuple[int, int], str | None]
"""What is on record about messages, by partition and offset: why one is parked, None when it was discarded."""

NOTHING_DECIDED: Decided = MappingProxyType({})


class Letter(NamedTuple):
    """A dead letter: a message, and why it is parked."""

    message: Message
    error: str


class Sorted(NamedTuple):
    """Messages sorted into those to apply, those to park, and the number of those to ignore."""

    events: list[Message]
    letters: list[Letter]
    ignored: int


def sort(messages: Iterable[Message], parked: Set[str], decided: Decided = NOTHING_DECIDED) -> Sorted:
    """Sort messages, given in the order of their offsets. parked: orders of which a message is parked already.

    decided: what holds for messages whatever they look like now. A discarded one holds nothing back.
    """
    held, found = set(parked), Sorted([], [], 0)
    for message in messages:
        place = (message.partition, message.offset)
        error = decided.get(place, message.error)
        if error is not None:
            found.letters.append(Letter(message, error))
            if message.order_id is not None:
                held.add(message.order_id)
        elif message.event is None or place in decided:
            found = found._replace(ignored=found.ignored + 1)
        elif message.order_id in held:
            found.letters.append(Letter(message, BEHIND))
        else:
            found.events.append(message)
    return found
