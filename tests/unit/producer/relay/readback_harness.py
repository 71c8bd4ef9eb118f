"""A read-back without a thread, on a topic and an outbox in memory."""

from collections.abc import Callable
from datetime import UTC, datetime

from producer.relay.readback import ReadBack
from tests.clock import FakeClock
from tests.unit.producer.relay.fake_topic import TOPIC, FakeTopic

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class FakeOutbox:
    """Rows by id; oldest: what `oldest_unparked` answers."""

    def __init__(self, *rows: str, oldest: datetime | None = None):
        self.rows, self.oldest = set(rows), oldest

    def oldest_unparked(self) -> datetime | None:
        return self.oldest

    def delete(self, ids: list[str]) -> int:
        self.rows -= set(ids)
        return 0


def readback(
    outbox: FakeOutbox, topic: FakeTopic, clock: FakeClock, on_release: Callable[[], None] = lambda: None
) -> ReadBack:
    return ReadBack(outbox, topic.new_consumer, topic.new_admin, TOPIC, on_release, clock)  # type: ignore[arg-type]


def prove(readback: ReadBack, steps: int = 4) -> None:
    readback.request_proof()
    for _ in range(steps):
        readback.step()
