"""What an operator decides about a dead letter: to apply its message again, or to give it up.

Both then apply what is parked behind it. They write shards of the read models, so no instance applies a batch
meanwhile: its partition's position is locked, and the letters are read by a later statement than the one that locks.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from projector.readmodel.batch import read_message
from projector.readmodel.parking import sort
from projector.store import dead_letters, positions
from projector.store.apply import count
from projector.store.database import Refused, transaction
from projector.store.dead_letters import Choice, StoredLetter
from projector.store.positions import Tally

BATCH = 500
"""So many letters are decided about in a transaction, which no instance applies a batch beside."""


class NotParked(Exception):
    """There is no such parked message."""


@dataclass(frozen=True)
class Released:
    """What became of the parked messages of orders. error: why the first of those that are left is parked.

    discarded: how many were given up.
    """

    applied: int
    still_parked: int
    error: str = ""
    discarded: int = 0

    def __add__(self, other: "Released") -> "Released":
        """Return what became of both."""
        return Released(
            self.applied + other.applied,
            self.still_parked + other.still_parked,
            self.error or other.error,
            self.discarded + other.discarded,
        )


Decide = Callable[[sa.Engine, Collection[int]], Released]
Tell = Callable[[Released], object]


def requeue(engine: sa.Engine, letter_id: int) -> Released:
    """Apply the parked messages of this letter's order again. Raises NotParked, Refused, DatabaseUnavailable."""
    return _requeue(engine, [letter_id])


def discard(engine: sa.Engine, letter_id: int) -> Released:
    """Give this message up, on record, and apply those behind it. Raises NotParked, Refused, DatabaseUnavailable."""
    return _discard(engine, [letter_id])


def requeue_all(engine: sa.Engine, choice: Choice, tell: Tell) -> Released:
    """Apply what is chosen again, each message once, and none that is parked meanwhile.

    tell: gets what became of each batch. Raises DatabaseUnavailable; what was told stays done.
    """
    return _decide_all(engine, choice, dead_letters.last_parked(engine), _requeue, tell)


def discard_all(engine: sa.Engine, choice: Choice, tell: Tell) -> Released:
    """Give up what is chosen, also what turns out to be so when it is no longer behind another message.

    Messages that only wait behind one are not given up, but applied; what is parked meanwhile is left. tell: gets what
    became of each batch. Raises DatabaseUnavailable; what was told stays done. In what is returned, `still_parked` are
    those that the database does not let go.
    """
    last = dead_letters.last_parked(engine)
    found = latest = _decide_all(engine, choice, last, _discard, tell)
    while latest.discarded:
        latest = _decide_all(engine, choice, last, _discard, tell)
        found = replace(found + latest, still_parked=latest.still_parked, error=latest.error)
    return found


def _decide_all(engine: sa.Engine, choice: Choice, last: int, decide: Decide, tell: Tell) -> Released:
    found, after = Released(0, 0), 0
    while ids := dead_letters.chosen(engine, choice, after, last, BATCH):
        released = _decide_each(engine, ids, decide)
        tell(released)
        found, after = found + released, ids[-1]
    return found


def _decide_each(engine: sa.Engine, ids: Collection[int], decide: Decide) -> Released:
    """Decide about these together, or one by one if the database refuses what is in one of them."""
    try:
        return decide(engine, ids)
    except NotParked:  # somebody else has decided meanwhile
        return Released(0, 0)
    except Refused as error:
        if len(ids) == 1:
            return Released(0, 1, f"the database refuses it: {error}")
    return sum((_decide_each(engine, [each], decide) for each in ids), Released(0, 0))


def _requeue(engine: sa.Engine, letter_ids: Collection[int]) -> Released:
    with transaction(engine) as connection:
        return _release(connection, _letters(connection, letter_ids))


def _discard(engine: sa.Engine, letter_ids: Collection[int]) -> Released:
    with transaction(engine) as connection:
        letters = _letters(connection, letter_ids)
        chosen = frozenset(letter_ids)
        given_up = [letter for letter in letters if letter.id in chosen]
        dead_letters.mark_discarded(connection, given_up)
        released = _release(connection, [letter for letter in letters if letter.id not in chosen])
        return replace(released, discarded=len(given_up))


def _letters(connection: sa.Connection, letter_ids: Collection[int]) -> list[StoredLetter]:
    positions.lock_all(connection)
    letters = dead_letters.of_orders(connection, letter_ids)
    if not letters:
        raise NotParked(f"No dead letter {', '.join(map(str, letter_ids))} is parked.")
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
        if errors.get(id(message), letter.error) != letter.error:
            dead_letters.explain(connection, letter.id, errors[id(message)])
    first = found.letters[0].error if found.letters else ""
    return Released(len(letters) - len(errors), len(errors), first)
