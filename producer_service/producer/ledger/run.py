"""One run of the ledger: what is asked first, and what is asked last, so that nothing on its way is called missing."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from itertools import chain
from typing import Protocol

from confluent_kafka import Message

from producer.ledger.books import Books, CommittedOrder, Totals
from producer.ledger.reconcile import Findings
from producer.ledger.retention import Retention
from producer.ledger.sighting import Foreign, Sighting, read_sighting, read_signpost
from producer.ledger.sightings import Missing, Sightings
from producer.ledger.topic import Offsets

STEP = 1000

Suspect = tuple[Missing, bool]
# Shows how far a task is: with its name and its length, called with each step.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class LedgerTopic(Protocol):
    """The part of Topic that a run uses."""

    def starts(self) -> Offsets: ...
    def ends(self) -> Offsets: ...
    def read(self, starts: Offsets, ends: Offsets) -> Generator[list[Message], None, None]: ...


class Ledger:
    """Orders, outbox and topic side by side.

    The topic is read first, then the orders, each page before its outbox rows, then what has come to the topic
    meanwhile. So what is in the topic at the first reading had been committed when the orders were read; and an event
    that had left the outbox when the outbox was read is in the topic at the second reading. What is missing then is
    missing, and needs no second look.

    now_ms: the time in ms. foreign: how many messages are no events of ours or cannot be read.
    """

    def __init__(self, topic: LedgerTopic, books: Books, progress: Progress, now_ms: Callable[[], int]):
        self._topic, self._books, self._progress, self._now_ms = topic, books, progress, now_ms
        self.findings = Findings()
        self.totals = Totals(0, 0, 0)
        self.foreign = 0
        self._epochs: dict[int | None, int] = {}

    def run(self) -> Iterator[Missing]:
        """Iterate over what is missing, sorted by order; the findings are complete at the end."""
        sightings = Sightings()
        try:
            ends = self._read_topic(sightings)
            self._reconcile(sightings, *ends)
            retention = self._read_on(sightings, ends[1])
            if suspects := sightings.count_missing():
                with self._progress("Missing", suspects) as advance:
                    missing = _counted(sightings.missing(), advance)
                    yield from self.findings.settle(missing, retention)
        finally:
            sightings.close()

    def _read_topic(self, sightings: Sightings) -> tuple[Offsets, Offsets]:
        starts, ends = self._topic.starts(), self._topic.ends()
        with self._progress("Topic", _length(starts, ends)) as advance:
            for messages in self._topic.read(starts, ends):
                sightings.add(self._sightings(messages))
                advance(len(messages))
        return starts, ends

    def _reconcile(self, sightings: Sightings, starts: Offsets, ends: Offsets) -> None:
        retention = self.retention(starts, ends)
        with self._progress("Orders", self._books.count_orders()) as advance:
            orders = chain.from_iterable(_advancing(self._books.pages(), advance))
            sightings.add_missing(self.findings.reconcile(orders, sightings.by_order(), retention))
        self.totals = self._books.totals()

    def _read_on(self, sightings: Sightings, since: Offsets) -> Retention:
        """Read what has come since; return what retention may have removed by now."""
        starts, ends = self._topic.starts(), self._topic.ends()
        begin = {number: max(since.get(number, 0), starts[number]) for number in ends}
        with self._progress("Topic, what came meanwhile", _length(begin, ends)) as advance:
            for messages in self._topic.read(begin, ends):
                sightings.add_later(self._sightings(messages, count_foreign=False))
                advance(len(messages))
        return self.retention(self._topic.starts(), ends)

    def _sightings(self, messages: list[Message], count_foreign: bool = True) -> list[Sighting]:
        found = []
        for message in messages:
            if (epoch := read_signpost(message)) is not None:
                self._epochs[message.partition()] = epoch
            try:
                if message.error() is not None:
                    raise Foreign
                if (sighting := read_sighting(message)) is not None:
                    if self._epochs:
                        sighting = sighting._replace(epoch=self._epochs.get(message.partition(), 0))
                    found.append(sighting)
            except Foreign:
                self.foreign += count_foreign
        return found

    def retention(self, starts: Offsets, ends: Offsets) -> Retention:
        """Ask for the first message of each partition of which something has been removed."""
        first_ms: dict[int, int | None] = {}
        for number, start in starts.items():
            first_ms[number] = None if start == 0 else self._now_ms()
        firsts = {number: start for number, start in starts.items() if 0 < start < ends.get(number, 0)}
        unknown = set(firsts)
        with closing(self._topic.read(firsts, {number: ends[number] for number in firsts})) as batches:
            for message in chain.from_iterable(batches):
                if message.error() is None and message.partition() in unknown:
                    first_ms[message.partition() or 0] = message.timestamp()[1]
                    unknown.discard(message.partition() or 0)
                    if not unknown:
                        break
        return Retention(first_ms, has_grown=bool(self._epochs))


def _length(starts: Offsets, ends: Offsets) -> int:
    return sum(end - starts.get(number, 0) for number, end in ends.items())


def _advancing(
    pages: Iterator[list[CommittedOrder]], advance: Callable[[int], None]
) -> Iterator[list[CommittedOrder]]:
    for page in pages:
        yield page
        advance(len(page))


def _counted(suspects: Iterator[Suspect], advance: Callable[[int], None]) -> Iterator[Suspect]:
    for number, suspect in enumerate(suspects, start=1):
        yield suspect
        if number % STEP == 0:
            advance(STEP)
