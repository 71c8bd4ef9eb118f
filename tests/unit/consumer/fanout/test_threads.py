"""The plain fallback: a stream as a generator."""

import threading
from unittest.mock import ANY

import pytest

from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.resume import resume
from consumer.fanout.threads import GeneratorFanout
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.stats import LatestStats
from consumer.ring.types import Batch, Event, Slice
from tests.clock import FakeClock
from tests.unit.consumer.fanout.fake_replay import FakeReplay
from tests.unit.consumer.fanout.stream_text import blocks, shown
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID

HEARTBEAT_S = 10.0


class TimedRing(Ring):
    """A ring in which waiting takes no time but the clock's: as long as it is said to."""

    def __init__(self, clock: FakeClock, max_events: int = 1000) -> None:
        super().__init__(max_events, 1 << 20)
        self._clock = clock

    def wait_past(self, number: int, timeout: float) -> bool:
        """Let the time pass unless the batch is there."""
        if self.head <= number:
            self._clock.now += timeout
        return self.head > number


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ring(clock: FakeClock) -> Ring:
    ring = TimedRing(clock)
    ring.open(Position(TOPIC_ID, (0,)))
    return ring


def put(ring: Ring, payload: bytes) -> None:
    at = ring.position.offsets[0]
    ring.append([Event(0, at, 0, payload)], Position(TOPIC_ID, (at + 1,)))


def fanout_of(
    ring: Ring,
    clock: FakeClock,
    states: list[str],
    replay: FakeReplay | None = None,
    stats: LatestStats | None = None,
) -> GeneratorFanout:
    """Return a fan-out that reports the last of `states`."""
    policy = FanoutPolicy(0.02, HEARTBEAT_S, 15, 8 << 10)
    return GeneratorFanout(ring, replay or FakeReplay(), lambda: states[-1], policy, clock, stats)


def test_quiet_stream_gets_a_heartbeat_in_time(ring: Ring, clock: FakeClock) -> None:
    stream = fanout_of(ring, clock, ["live"]).stream(resume(ring, None, None), b"")
    next(stream)
    for _ in range(3):
        since = clock.now
        (status,) = blocks(next(stream))
        assert (status.event, status.json["state"], status.last_id) == ("status", "live", f"{TOPIC_ID};0:0")
        assert HEARTBEAT_S <= clock.now - since < HEARTBEAT_S + 0.5


def test_status_is_sent_at_once_when_the_state_changes(ring: Ring, clock: FakeClock) -> None:
    states = ["live"]
    stream = fanout_of(ring, clock, states).stream(resume(ring, None, None), b"")
    next(stream)
    put(ring, b"one")
    assert shown(next(stream)) == ["one"]
    states.append("stale")
    since = clock.now
    assert blocks(next(stream))[0].json["state"] == "stale"
    assert clock.now - since < 1


def test_stream_ends_at_the_stop_and_is_counted_until_then(ring: Ring, clock: FakeClock) -> None:
    fanout, stopping = fanout_of(ring, clock, ["live"]), threading.Event()
    stream = fanout.stream(resume(ring, None, None), b"first")
    assert next(stream) == b"first"
    assert fanout.count == 1
    stopping.set()
    fanout.run(stopping)
    assert list(stream) == []
    assert fanout.count == 0


def test_viewer_from_before_the_ring_is_sent_the_past_and_then_the_ring(clock: FakeClock) -> None:
    ring, replay = TimedRing(clock, max_events=2), FakeReplay()
    ring.open(Position(TOPIC_ID, (0,)))
    for n in range(5):
        put(ring, b"%d" % n)
    stream = fanout_of(ring, clock, ["live"], replay).stream(resume(ring, f"{TOPIC_ID};0:1", None), b"")
    next(stream)
    batch = Batch(Position(TOPIC_ID, (1,)), tuple(Event(0, n, 0, b"%d" % n) for n in (1, 2)))
    replay.keep(Position(TOPIC_ID, (1,)), Slice([batch], 1, Position(TOPIC_ID, (3,))))
    assert shown(next(stream) + next(stream)) == ["1", "2", "3", "4"]
    (status,) = blocks(next(stream))
    assert status.json == {"state": "live", "position": f"{TOPIC_ID};0:5", "time": ANY}
