import socket
from collections.abc import Iterator
from contextlib import closing
from unittest.mock import ANY

import pytest

from consumer.fanout.filter import EVERYTHING, Filter
from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.resume import resume
from consumer.fanout.sockets import SocketFanout
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.stats import LatestStats
from consumer.ring.types import Batch, Event, FoundTime, Slice
from consumer.ring.view import RingView
from tests.clock import FakeClock
from tests.unit.consumer.fanout.fake_replay import FakeReplay
from tests.unit.consumer.fanout.stream_text import Block, blocks, shown
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID

WINDOW_S, HEARTBEAT_S, STALL_S = 0.02, 10, 15
END = b"<end>"


class FanoutHarness:
    """A socket fan-out whose thread is run step by step; each viewer is a socket pair."""

    def __init__(
        self, max_events: int = 10_000, buffer_bytes: int = 8 << 10, stats: LatestStats | None = None
    ) -> None:
        self.ring = Ring(max_events, 64 << 20)
        self.ring.open(Position(TOPIC_ID, (0,)))
        self.clock = FakeClock()
        self.state = "live"
        policy = FanoutPolicy(WINDOW_S, HEARTBEAT_S, STALL_S, buffer_bytes)
        self.replay = FakeReplay()
        self.fanout = SocketFanout(self.ring, self.replay, lambda: self.state, policy, self.clock, stats)
        self.browsers: list[socket.socket] = []

    def join(
        self,
        chunked: bool = False,
        last_event_id: str | None = None,
        steps: int = 3,
        wanted: Filter = EVERYTHING,
        stats: bool = False,
    ) -> socket.socket:
        """Attach a viewer; return the browser's end of its connection. steps: 0 is one without a flush window."""
        server, browser = socket.socketpair()
        self.browsers.append(browser)
        browser.setblocking(False)
        viewer = resume(self.ring, last_event_id, None, wanted)
        self.fanout.attach(server, chunked, viewer, viewer.greeting(self.state), stats)
        if steps:
            self.step(steps)
        else:
            self.fanout.step()
        return browser

    def put(self, *payloads: bytes) -> None:
        """Append events to the ring."""
        start = self.ring.position.offsets[0]
        events = [Event(0, start + n, 0, payload) for n, payload in enumerate(payloads)]
        self.ring.append(events, Position(TOPIC_ID, (start + len(events),)))

    def step(self, times: int = 3) -> None:
        """Let the fan-out do what is due, `times` times, a flush window apart."""
        for _ in range(times):
            self.clock.now += WINDOW_S
            self.fanout.wake()
            self.fanout.step()

    def close(self) -> None:
        """End all streams and close both ends of every connection."""
        self.fanout.end_all()
        self.fanout.close()
        for browser in self.browsers:
            browser.close()


@pytest.fixture
def harness() -> Iterator[FanoutHarness]:
    with closing(FanoutHarness()) as harness:
        yield harness


def receive(browser: socket.socket) -> bytes:
    """Return what has come; END follows when the stream has ended."""
    data = b""
    try:
        while part := browser.recv(1 << 20):
            data += part
    except BlockingIOError:
        return data
    return data + END


def blocks_of(stream: bytes, event: str) -> list[Block]:
    """Return the blocks of one event type."""
    return [block for block in blocks(stream) if block.event == event]


def test_viewers_get_the_events_after_they_joined(harness: FanoutHarness) -> None:
    first = harness.join()
    harness.put(b"one")
    harness.step()
    second = harness.join()
    harness.put(b"two", b"three")
    harness.step()
    assert shown(receive(first)) == ["one", "two", "three"]
    assert shown(receive(second)) == ["two", "three"]


def test_returning_viewer_gets_missed_events_first(harness: FanoutHarness) -> None:
    harness.put(*(b"%d" % n for n in range(50)))
    harness.step()
    browser = harness.join(last_event_id=f"{TOPIC_ID};0:48")
    harness.put(b"50")
    harness.step()
    assert shown(receive(browser)) == ["48", "49", "50"]


def test_flush_carries_many_events_and_one_id(harness: FanoutHarness) -> None:
    browser = harness.join()
    receive(browser)
    for n in range(5):
        harness.put(b"%d" % n)
    harness.step()
    text = receive(browser)
    assert shown(text) == ["0", "1", "2", "3", "4"]
    assert text.count(b"\nid: ") == 1
    assert blocks(text)[-1].last_id == f"{TOPIC_ID};0:5"


def test_chunked_stream_has_whole_chunks_and_ends_with_the_empty_one(harness: FanoutHarness) -> None:
    browser = harness.join(chunked=True)
    harness.put(b"one")
    harness.step()
    harness.fanout.end_all()
    text, rest = b"", receive(browser)
    while rest != END:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        text, end, rest = text + rest[:length], rest[length : length + 2], rest[length + 2 :]
        assert end == b"\r\n"
    assert shown(text) == ["one"]
    assert length == 0


def test_quiet_stream_gets_a_heartbeat_with_the_position(harness: FanoutHarness) -> None:
    browser = harness.join()
    receive(browser)
    harness.ring.append([], Position(TOPIC_ID, (7,)))
    harness.clock.now += HEARTBEAT_S
    harness.step()
    (status,) = blocks_of(receive(browser), "status")
    assert (status.json["state"], status.last_id) == ("live", f"{TOPIC_ID};0:7")


def test_status_is_sent_at_once_when_the_state_changes(harness: FanoutHarness) -> None:
    browser = harness.join()
    receive(browser)
    harness.state = "stale"
    harness.step()
    assert [status.json["state"] for status in blocks_of(receive(browser), "status")] == ["stale"]


def test_stalled_viewer_delays_nobody_and_is_cut(harness: FanoutHarness) -> None:
    stalled, other = harness.join(), harness.join()
    received = b""
    for n in range(400):
        harness.put(b"%d %s" % (n, b"x" * 5000))
        harness.step(1)
        received += receive(other)
    assert [data.split()[0] for data in shown(received)] == [str(n) for n in range(400)]
    assert harness.fanout.count == 2
    harness.clock.now += STALL_S + 1
    harness.step()
    assert harness.fanout.count == 1
    assert len(stalled.recv(16 << 20)) < 1 << 20


def test_slow_viewer_catches_up_with_every_event(harness: FanoutHarness) -> None:
    slow = harness.join()
    for n in range(200):
        harness.put(b"%d %s" % (n, b"x" * 5000))
        harness.step(1)
    received = b""
    for _ in range(500):
        received += receive(slow)
        harness.step(1)
    assert [data.split()[0] for data in shown(received)] == [str(n) for n in range(200)]
    harness.put(b"last")
    harness.step()
    assert shown(receive(slow)) == ["last"]


def test_event_larger_than_the_socket_buffer_arrives_whole(harness: FanoutHarness) -> None:
    browser = harness.join()
    large = bytes(range(32, 127)) * 20_000
    harness.put(large)
    received = b""
    for _ in range(500):
        harness.step(1)
        received += receive(browser)
    assert shown(received) == [large.decode()]


def test_gap_is_sent_when_the_ring_overtakes_a_slow_viewer() -> None:
    with closing(FanoutHarness(max_events=20)) as harness:
        slow = harness.join()
        for n in range(400):
            harness.put(b"%d %s" % (n, b"x" * 5000))
            harness.step(1)
        received = b""
        for _ in range(200):
            received += receive(slow)
            harness.step(1)
        (gap,) = blocks_of(received, "gap")
        assert gap.json["reason"] == "overflow"
        lost_from, lost_to = gap.json["lost"]["0"]
        numbers = [int(data.split()[0]) for data in shown(received)]
        assert numbers == [*range(lost_from), *range(lost_to, 400)]


def test_position_never_goes_back_when_a_viewer_joins_live_ones() -> None:
    """It may have been told a position past what is not shown, and the ring may move on before the next status."""
    with closing(FanoutHarness(max_events=5)) as harness:
        first = harness.join()
        harness.put(b"one")
        harness.step(1)
        harness.ring.append([], Position(TOPIC_ID, (2,)))
        second = harness.join(steps=0)
        harness.put(*(b"%d" % n * (8 << 10) for n in range(9)))
        harness.state = "stale"
        harness.fanout.step()
        ids = [block.last_id for block in blocks(receive(second))]
        assert ids == [f"{TOPIC_ID};0:2", f"{TOPIC_ID};0:2"]
        assert blocks(receive(first))[-1].last_id == f"{TOPIC_ID};0:2"


def test_disconnected_viewer_is_dropped(harness: FanoutHarness) -> None:
    browser, other = harness.join(), harness.join()
    browser.close()
    harness.step()
    assert harness.fanout.count == 1
    harness.put(b"one")
    harness.step()
    assert shown(receive(other)) == ["one"]


def test_bytes_from_a_viewer_are_ignored(harness: FanoutHarness) -> None:
    browser = harness.join()
    browser.send(b"GET / HTTP/1.1\r\n\r\n" * 100)
    harness.step()
    harness.put(b"one")
    harness.step()
    assert shown(receive(browser)) == ["one"]


def test_viewer_from_before_the_ring_waits_hears_and_is_live_in_the_end() -> None:
    with closing(FanoutHarness(max_events=3)) as harness:
        for n in range(8):
            harness.put(b"%d" % n)
        viewer = harness.join(last_event_id=f"{TOPIC_ID};0:2")
        harness.clock.now += HEARTBEAT_S
        harness.step()
        waiting = blocks(receive(viewer))
        assert [(block.event, block.json.get("replay")) for block in waiting] == [("status", "waiting")] * 3
        assert {block.last_id for block in waiting} == {f"{TOPIC_ID};0:2"}
        past = tuple(Event(0, n, 0, b"%d" % n) for n in range(2, 5))
        batch = Batch(Position(TOPIC_ID, (2,)), past)
        harness.replay.keep(Position(TOPIC_ID, (2,)), Slice([batch], 1, Position(TOPIC_ID, (5,))))
        harness.step()
        *rest, status = blocks(receive(viewer))
        assert [block.data for block in rest] == ["2", "3", "4", "5", "6", "7"]
        assert (status.json, status.last_id) == (
            {"state": "live", "position": f"{TOPIC_ID};0:8", "time": ANY},
            f"{TOPIC_ID};0:8",
        )
        harness.put(b"8")
        harness.step()
        assert shown(receive(viewer)) == ["8"]


def test_viewer_that_waits_for_kafka_keeps_its_place_in_the_line_and_is_not_cut() -> None:
    with closing(FanoutHarness(max_events=3)) as harness:
        for n in range(8):
            harness.put(b"%d" % n)
        viewer = harness.join(last_event_id=f"{TOPIC_ID};0:2")
        asked = len(harness.replay.asked)
        for _ in range(40):
            harness.clock.now += 1
            harness.step(1)
        assert 38 <= len(harness.replay.asked) - asked <= 41
        assert harness.fanout.count == 1
        assert not receive(viewer).endswith(END)


def test_a_crowd_that_waits_for_kafka_is_not_asked_at_every_step() -> None:
    with closing(FanoutHarness(max_events=3)) as harness:
        for n in range(8):
            harness.put(b"%d" % n)
        for _ in range(50):
            harness.join(last_event_id=f"{TOPIC_ID};0:2", steps=0)
        asked = len(harness.replay.asked)
        harness.step(20)
        assert len(harness.replay.asked) - asked <= 50


def test_viewer_that_leaves_while_it_waits_for_kafka_is_dropped() -> None:
    with closing(FanoutHarness(max_events=3)) as harness:
        for n in range(8):
            harness.put(b"%d" % n)
        viewer, other = (harness.join(last_event_id=f"{TOPIC_ID};0:2") for _ in range(2))
        viewer.close()
        harness.step()
        assert harness.fanout.count == 1
        harness.fanout.end_all()
        assert receive(other).endswith(END)


def test_viewer_that_begins_at_a_time_is_greeted_with_its_position() -> None:
    with closing(FanoutHarness(max_events=3)) as harness:
        for n in range(8):
            harness.put(b"%d" % n)
        server, browser = socket.socketpair()
        harness.browsers.append(browser)
        browser.setblocking(False)
        harness.fanout.attach(
            server, False, resume(harness.ring, None, "1970-01-01T00:00:00Z"), b"retry: 1\n\n"
        )
        harness.step()
        (waiting,) = blocks(receive(browser))
        assert (waiting.json["position"], waiting.json["replay"], waiting.last_id) == (None, "waiting", "")
        harness.replay.times[0] = FoundTime(Position(TOPIC_ID, (6,)), is_complete=True)
        harness.replay.number += 1
        harness.step()
        first, *rest = blocks(receive(browser))
        assert (first.event, first.last_id) == ("status", f"{TOPIC_ID};0:6")
        assert [block.data for block in rest if block.event == "message"] == ["6", "7"]


def test_viewer_that_is_told_of_a_new_topic_on_its_way_is_told_when_it_is_live() -> None:
    with closing(FanoutHarness(max_events=3)) as harness:
        for n in range(8):
            harness.put(b"%d" % n)
        viewer = harness.join(last_event_id=f"{TOPIC_ID};0:2")
        receive(viewer)
        harness.ring.open(Position(OTHER_ID, (0,)))
        harness.clock.now += 1.1
        harness.step()
        gap, status, *_ = blocks(receive(viewer))
        assert (gap.json["reason"], status.event, "replay" in status.json) == ("recreated", "status", False)


def test_one_view_of_the_ring_serves_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view copies the ring's batches: one for each of thousands would take the step a second."""
    with closing(FanoutHarness(max_events=3)) as harness:
        for n in range(8):
            harness.put(b"%d" % n)
        for _ in range(30):
            harness.join(last_event_id=f"{TOPIC_ID};0:2", steps=0)
        views, view = 0, harness.ring.view

        def count() -> RingView:
            nonlocal views
            views += 1
            return view()

        monkeypatch.setattr(harness.ring, "view", count)
        harness.clock.now += 1.1
        harness.step(1)
        assert views == 1


def test_questions_of_a_crowd_are_spaced_by_its_size() -> None:
    with closing(FanoutHarness(max_events=3)) as harness:
        for n in range(8):
            harness.put(b"%d" % n)
        for _ in range(100):
            harness.join(last_event_id=f"{TOPIC_ID};0:2", steps=0)
        harness.step(1)
        asked = len(harness.replay.asked)
        for _ in range(50):
            harness.replay.number += 1
            harness.clock.now += 0.0002
            harness.fanout.wake()
            harness.fanout.step()
        assert len(harness.replay.asked) - asked <= 3 * 100
