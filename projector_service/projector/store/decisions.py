"""What an operator decides about a dead letter: to apply its message again, or to give it up.

Both then apply what is parked behind it. They write shards of the read models, so no instance applies a batch
meanwhile: its partition's position is locked, and the letters are read by a later statement than the one that locks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from projector.readmodel.batch import read_message
from projector.readmodel.parking import sort
from projector.store import dead_letters, positions
from projector.store.apply import count
from projector.store.database import transaction
from projector.store.dead_letters import StoredLetter
from projector.store.positions import Tally


class NotParked(Exception):
    """There is no such parked message."""


@dataclass(frozen=True)
class Released:
    """What became of the parked messages of an order. error: why the first of those that are left is parked."""

    applied: int
    still_parked: int
    error: str = ""


def requeue(engine: sa.Engine, letter_id: int) -> Released:
    """Apply the parked messages of this letter's order again. Raises NotParked, Refused, DatabaseUnavailable."""
    with transaction(engine) as connection:
        return _release(connection, _letters(connection, letter_id))


def discard(engine: sa.Engine, letter_id: int) -> Released:
    """Give this message up, on record, and apply those behind it. Raises NotParked, Refused, DatabaseUnavailable."""
    with transaction(engine) as connection:
        letters = _letters(connection, letter_id)
        dead_letters.mark_discarded(connection, letter_id)
        return _release(connection, [letter for letter in letters if letter.id != letter_id])


def _letters(connection: sa.Connection, letter_id: int) -> list[StoredLetter]:
    positions.lock_all(connection)
    letters = dead_letters.of_order(connection, letter_id)
    if not letters:
        raise NotParked(f"No dead letter {letter_id} is parked.")
    return letters


def _release(connection: sa.Connection, letters: Sequence[StoredLetter]) -> Released:
    messages = [
        read_message(each.partition, each.offset, each.time, each.key, each.value) for each in letters
    ]
    found = sort(messages, parked=set())
    events = Counter(message.partition for message in count(connection, found.events))
    positions.add(connection, {p: Tally(None, number) for p, number in events.items()})
    errors = {id(message): error for message, error in found.letters}
    pairs = list(zip(letters, messages, strict=True))
    dead_letters.delete(connection, [letter for letter, message in pairs if id(message) not in errors])
    for letter, message in pairs:
        if id(message) in errors:
            dead_letters.explain(connection, letter.id, errors[id(message)])
    first = found.letters[0].error if found.letters else ""
    return Released(len(letters) - len(errors), len(errors), first)
