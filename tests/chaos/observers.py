"""Those who watch the events: viewers of the stream, a browser, and a reader of the topic itself."""

import json
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tests.e2e.viewer import Viewer
from tests.eventually import eventually

AWAY = "away"
READ_S = 20


class Seen(NamedTuple):
    """One event as an observer saw it. at: time.monotonic()."""

    event_id: str
    order_id: str
    version: int
    customer: str
    payload: bytes
    at: float


def read_event(payload: bytes, at: float) -> Seen | None:
    """Return what is seen in an event; None in a test event."""
    event = json.loads(payload)
    data = event["data"]
    if "order_id" not in data:
        return None
    return Seen(event["id"], data["order_id"], data["version"], data["customer_name"], payload, at)


class Watcher(Viewer):
    """A viewer that resumes, keeps all it saw and when, and what the stream said of itself.

    states: (time, state) with "live" and "stale" as the server said, and "away" while there was no connection.
    """

    def __init__(self, name: str, url: str):
        super().__init__(url)
        self.name = name
        self.seen: list[Seen] = []
        self.states: list[tuple[float, str]] = []

    def _connect(self) -> None:
        try:
            super()._connect()
        finally:
            self.states.append((time.monotonic(), AWAY))

    def _take(self, block: dict[str, bytes]) -> None:
        super()._take(block)
        now = time.monotonic()
        if "event" in block:
            name, data = self.named[-1]
            if name == "status":
                self.states.append((now, data["state"]))
        elif "data" in block and (seen := read_event(block["data"], now)):
            self.seen.append(seen)


class TopicReader:
    """Reads the topic on, from where it was left, whenever it is asked to."""

    name = "the topic"

    def __init__(self, bootstrap_servers: str, topic: str):
        self._servers, self._topic = bootstrap_servers, topic
        self._next: dict[int, int] = {}
        self.seen: list[Seen] = []

    def read_on(self) -> None:
        """Read to the present ends of all partitions. Raises AssertionError when that takes too long."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": "never-used",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        try:
            ends = eventually(lambda: self._ends(consumer), within=READ_S, every=0.2)
            consumer.assign([TopicPartition(self._topic, n, self._next.get(n, 0)) for n in ends])
            self._read(consumer, ends)
        finally:
            consumer.close()

    def _ends(self, consumer: Consumer) -> dict[int, int]:
        """Return where each partition ends. Raises AssertionError when that is not known, as just after an election."""
        try:
            found = consumer.list_topics(self._topic, timeout=READ_S).topics[self._topic].partitions
            places = [TopicPartition(self._topic, number) for number in found]
            return {
                place.partition: consumer.get_watermark_offsets(place, timeout=READ_S, cached=False)[1]
                for place in places
            }
        except KafkaException as error:
            raise AssertionError(error.args[0].str()) from error

    def _read(self, consumer: Consumer, ends: dict[int, int]) -> None:
        deadline = time.monotonic() + READ_S
        while any(self._next.get(number, 0) < end for number, end in ends.items()):
            assert time.monotonic() < deadline, f"read the topic to {self._next} of {ends}"
            for message in consumer.consume(1000, timeout=0.2):
                partition, offset, value = message.partition(), message.offset(), message.value()
                assert partition is not None
                assert offset is not None
                if error := message.error():
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    self._next[partition] = offset  # behind the marker of a transaction, which is no message
                    continue
                assert isinstance(value, bytes)
                self._next[partition] = offset + 1
                if seen := read_event(value, time.monotonic()):
                    self.seen.append(seen)


# Every row that the dashboard has ever shown, by the id of its event.
REMEMBER_ROWS = """
    window.shownEvents = [];
    addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
        for (const change of changes) for (const row of change.addedNodes)
            if (row.eventId) window.shownEvents.push(row.eventId);
    }).observe(document.body, {childList: true, subtree: true}));
"""


class Dashboard:
    """The dashboard in a browser, opened before the load. shown: the ids of the events that it has shown."""

    name = "the dashboard in a browser"

    def __init__(self, page: Any):
        self._page = page
        self.shown: set[str] = set()

    def look(self) -> set[str]:
        self.shown |= set(self._page.evaluate("window.shownEvents.splice(0)"))
        return self.shown

    def counts(self) -> int:
        """Return how many events it says it has had."""
        return int(self._page.inner_text("#count").replace(",", ""))

    def tells_a_gap(self) -> bool:
        return bool(self._page.locator("#gap:visible, .gap:visible").count())


def ids_of(events: Iterable[Seen]) -> set[str]:
    return {event.event_id for event in events}
