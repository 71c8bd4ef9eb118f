"""Figures, to those who asked for them: the newest at once, and nothing in between."""

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from consumer.fanout import sse
from consumer.fanout.filter import Filter
from consumer.fanout.resume import resume
from consumer.ring.position import Position
from consumer.ring.stats import LatestStats, Stats
from tests.clock import FakeClock
from tests.unit.consumer.fanout.stream_text import blocks, shown
from tests.unit.consumer.fanout.test_sockets import (
    END,
    HEARTBEAT_S,
    FanoutHarness,
    blocks_of,
    receive,
)
from tests.unit.consumer.fanout.test_threads import TimedRing, fanout_of, put
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class StatsHarness(FanoutHarness):
    """A fan-out with figures."""

    def __init__(self, max_events: int = 10_000) -> None:
        self.latest = LatestStats(FakeClock())
        super().__init__(max_events, stats=self.latest)

    def tell(self, *numbers: int, size: int = 0) -> None:
        """Let figures come, one after the other."""
        for number in numbers:
            payload = b'{"orders":%d%s}' % (number, b" " * size)
            self.latest.put(Stats(NOON + timedelta(seconds=number), payload))


@pytest.fixture
def harness() -> Iterator[StatsHarness]:
    with closing(StatsHarness()) as harness:
        yield harness


def figures(stream: bytes) -> list[int]:
    return [block.json["orders"] for block in blocks_of(stream, "stats")]


def test_block_has_no_id_and_says_what_it_is() -> None:
    assert sse.stats(b'{"a":1}') == b'event: stats\ndata: {"a":1}\n\n'
    (block,) = blocks(sse.stats(b'{\n"a":1}'))
    assert (block.event, block.json, block.last_id) == ("stats", {"a": 1}, "")


def test_who_asked_is_sent_the_newest_at_once_and_then_each_change(harness: StatsHarness) -> None:
    harness.tell(1, 2)
    browser = harness.join(stats=True)
    first, *_, last = blocks(receive(browser))
    assert (first.event, last.event, last.json) == ("status", "stats", {"orders": 2})
    harness.tell(3)
    harness.step()
    harness.step()
    assert figures(receive(browser)) == [3]


def test_who_did_not_ask_is_sent_the_same_as_ever(harness: StatsHarness) -> None:
    harness.tell(1)
    harness.join()  # everybody is told the status when the first one comes
    asked, other = harness.join(stats=True), harness.join()
    harness.put(b"one")
    harness.tell(2)
    harness.step()
    harness.clock.now += HEARTBEAT_S
    harness.step()
    received, expected = receive(asked), receive(other)
    assert figures(received) == [1, 2]
    assert b"stats" not in expected
    without = [(block.event, block.last_id) for block in blocks(received) if block.event != "stats"]
    assert without == [(block.event, block.last_id) for block in blocks(expected)]
    assert shown(received) == shown(expected) == ["one"]


def test_positions_are_those_of_the_events(harness: StatsHarness) -> None:
    browser = harness.join(stats=True)
    harness.put(b"one")
    harness.step()
    harness.tell(1)
    harness.step()
    assert blocks(receive(browser))[-1].last_id == f"{TOPIC_ID};0:1"


def test_filter_lets_figures_pass(harness: StatsHarness) -> None:
    browser = harness.join(stats=True, wanted=Filter(order="another"))
    harness.put(b"one")
    harness.tell(1)
    harness.step()
    stream = receive(browser)
    assert (shown(stream), figures(stream)) == ([], [1])


def test_figures_are_encoded_once_for_all(harness: StatsHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    browsers = [harness.join(stats=True, chunked=number % 2 == 0) for number in range(20)]
    encoded: list[bytes] = []
    encode = sse.stats

    def count(payload: bytes) -> bytes:
        encoded.append(payload)
        return encode(payload)

    monkeypatch.setattr(sse, "stats", count)
    harness.tell(1)
    harness.step()
    assert len(encoded) == 1
    assert all(b'data: {"orders":1}\n\n' in receive(browser) for browser in browsers)


def test_without_anybody_who_asked_nothing_is_encoded(
    harness: StatsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = harness.join()
    monkeypatch.setattr(sse, "stats", lambda _: pytest.fail("encoded for nobody"))
    harness.tell(1)
    harness.step()
    assert figures(receive(browser)) == []


@pytest.mark.parametrize(
    ("of_an_event", "of_figures"), [(5000, 5000), (5000, 10), (300_000, 10), (10, 300_000)]
)
def test_slow_viewer_gets_whole_blocks_and_only_the_newest_figures(
    harness: StatsHarness, of_an_event: int, of_figures: int
) -> None:
    """Figures never come in the middle of what was sent in part."""
    slow = harness.join(stats=True)
    for number in range(100):
        harness.put(b"%d %s" % (number, b"x" * of_an_event))
        harness.tell(number, size=of_figures)
        harness.step(1)
    stream = b""
    for _ in range(1000):
        stream += receive(slow)
        harness.step(1)
    assert shown(stream) == [f"{number} {'x' * of_an_event}" for number in range(100)]
    numbers = figures(stream)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 99
    assert len(numbers) < 100


def test_viewer_whose_socket_is_full_of_figures_misses_no_event(harness: StatsHarness) -> None:
    browser = harness.join(stats=True)
    harness.tell(1, size=4 << 20)
    harness.step()
    harness.put(b"one")
    harness.step()
    stream = b""
    for _ in range(2000):
        stream += receive(browser)
        harness.step(1)
        if shown(stream):
            break
    assert (figures(stream), shown(stream)) == ([1], ["one"])


def test_viewer_that_waits_for_the_past_gets_figures_meanwhile() -> None:
    with closing(StatsHarness(max_events=2)) as harness:
        harness.put(*(b"%d" % number for number in range(5)))
        harness.put(b"5")
        browser = harness.join(last_event_id=f"{TOPIC_ID};0:0", stats=True)
        harness.tell(1)
        harness.step()
        stream = receive(browser)
        assert (figures(stream), shown(stream)) == ([1], [])


def test_viewer_that_left_is_forgotten(harness: StatsHarness) -> None:
    browser = harness.join(stats=True)
    browser.shutdown(socket.SHUT_RDWR)
    harness.step()
    harness.tell(1)
    harness.step()
    assert harness.fanout.count == 0
    assert harness.fanout._stats._all == harness.fanout._stats._owed == set()


def test_stream_with_figures_ends_as_any_other(harness: StatsHarness) -> None:
    browser = harness.join(stats=True, chunked=True)
    harness.tell(1)
    harness.step()
    harness.fanout.end_all()
    assert receive(browser).endswith(b"0\r\n\r\n" + END)


@pytest.mark.parametrize("wants_stats", [True, False])
def test_fallback_sends_the_newest_and_each_change_to_who_asked(wants_stats: bool) -> None:
    clock = FakeClock()
    ring, latest = TimedRing(clock), LatestStats(clock)
    ring.open(Position(TOPIC_ID, (0,)))
    latest.put(Stats(NOON, b'{"orders":1}'))
    fanout = fanout_of(ring, clock, ["live"], stats=latest)
    stream = fanout.stream(resume(ring, None, None), b"", wants_stats)
    received = next(stream)
    put(ring, b"one")
    received += next(stream)
    latest.put(Stats(NOON, b'{"orders":2}'))
    put(ring, b"two")
    for _ in range(5):
        received += next(stream)
    assert shown(received) == ["one", "two"]
    assert figures(received) == ([1, 2] if wants_stats else [])
