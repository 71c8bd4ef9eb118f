import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.resume import resume
from consumer.fanout.sockets import SocketFanout
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event
from tests.clock import FakeClock
from tests.unit.consumer.fanout.stream_text import Block, blocks, shown
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID

WINDOW_S, HEARTBEAT_S, STALL_S = 0.02, 10, 15


class FanoutHarness:
    """A fan-out turned by hand; viewers are socket pairs."""

    def __init__(self, max_events: int = 10_000) -> None:
        self.ring = Ring(max_events, 64 << 20)
        self.ring.open(Position(TOPIC_ID, (0,)))
        self.clock = FakeClock()
        self.state = "live"
        policy = FanoutPolicy(WINDOW_S, HEARTBEAT_S, STALL_S, buffer_bytes=8 << 10)
        self.fanout = SocketFanout(self.ring, lambda: self.state, policy, self.clock)
        self.far_ends: list[socket.socket] = []

    def join(self, chunked: bool = False, last_event_id: str | None = None) -> socket.socket:
        near, far = socket.socketpair()
        self.far_ends.append(far)
        far.setblocking(False)
        viewer = resume(self.ring, last_event_id, None)
        self.fanout.attach(near, chunked, viewer, viewer.greeting(self.state))
        self.turn()
        return far

    def put(self, *payloads: bytes) -> None:
        start = self.ring.position.offsets[0]
        events = [Event(0, start + n, 0, payload) for n, payload in enumerate(payloads)]
        self.ring.append(events, Position(TOPIC_ID, (start + len(events),)))

    def turn(self, times: int = 3) -> None:
        for _ in range(times):
            self.clock.now += WINDOW_S
            self.fanout.wake()
            self.fanout.step()

    def close(self) -> None:
        self.fanout.end_all()
        self.fanout.close()
        for far in self.far_ends:
            far.close()


@pytest.fixture
def harness() -> Iterator[FanoutHarness]:
    with closing(FanoutHarness()) as made:
        yield made


def received(far: socket.socket) -> bytes:
    got = b""
    try:
        while data := far.recv(1 << 20):
            got += data
    except BlockingIOError:
        return got
    return got + b"<end>"


def named(text: bytes, name: str) -> list[Block]:
    return [block for block in blocks(text) if block.event == name]


def test_viewers_who_come_at_different_times_get_what_comes_after(harness: FanoutHarness) -> None:
    first = harness.join()
    harness.put(b"one")
    harness.turn()
    second = harness.join()
    harness.put(b"two", b"three")
    harness.turn()
    assert shown(received(first)) == ["one", "two", "three"]
    assert shown(received(second)) == ["two", "three"]


def test_one_that_comes_back_first_gets_what_it_missed(harness: FanoutHarness) -> None:
    harness.put(*(b"%d" % n for n in range(50)))
    harness.turn()
    far = harness.join(last_event_id=f"{TOPIC_ID};0:48")
    harness.put(b"50")
    harness.turn()
    assert shown(received(far)) == ["48", "49", "50"]


def test_a_flush_carries_many_events_and_one_id(harness: FanoutHarness) -> None:
    far = harness.join()
    received(far)
    for n in range(5):
        harness.put(b"%d" % n)
    harness.turn()
    text = received(far)
    assert shown(text) == ["0", "1", "2", "3", "4"]
    assert text.count(b"\nid: ") == 1
    assert blocks(text)[-1].last_id == f"{TOPIC_ID};0:5"


def test_chunks_are_whole_and_end_with_the_empty_one(harness: FanoutHarness) -> None:
    far = harness.join(chunked=True)
    harness.put(b"one")
    harness.turn()
    harness.fanout.end_all()
    text, rest = b"", received(far)
    while rest != b"<end>":
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        text, end, rest = text + rest[:length], rest[length : length + 2], rest[length + 2 :]
        assert end == b"\r\n"
    assert shown(text) == ["one"]
    assert length == 0


def test_a_quiet_stream_gets_a_status_with_the_position(harness: FanoutHarness) -> None:
    far = harness.join()
    received(far)
    harness.ring.append([], Position(TOPIC_ID, (7,)))
    harness.clock.now += HEARTBEAT_S
    harness.turn()
    (status,) = named(received(far), "status")
    assert (status.json["state"], status.last_id) == ("live", f"{TOPIC_ID};0:7")


def test_a_change_of_state_is_said_at_once(harness: FanoutHarness) -> None:
    far = harness.join()
    received(far)
    harness.state = "stale"
    harness.turn()
    assert [status.json["state"] for status in named(received(far), "status")] == ["stale"]


def test_one_that_does_not_read_holds_nobody_up_and_is_cut(harness: FanoutHarness) -> None:
    deaf, other = harness.join(), harness.join()
    heard = b""
    for n in range(400):
        harness.put(b"%d %s" % (n, b"x" * 5000))
        harness.turn(1)
        heard += received(other)
    assert [data.split()[0] for data in shown(heard)] == [str(n) for n in range(400)]
    assert harness.fanout.count == 2
    harness.clock.now += STALL_S + 1
    harness.turn()
    assert harness.fanout.count == 1
    assert len(deaf.recv(16 << 20)) < 1 << 20


def test_a_slow_one_catches_up_with_everything(harness: FanoutHarness) -> None:
    slow = harness.join()
    for n in range(200):
        harness.put(b"%d %s" % (n, b"x" * 5000))
        harness.turn(1)
    heard = b""
    for _ in range(500):
        heard += received(slow)
        harness.turn(1)
    assert [data.split()[0] for data in shown(heard)] == [str(n) for n in range(200)]
    harness.put(b"last")
    harness.turn()
    assert shown(received(slow)) == ["last"]


def test_what_is_larger_than_the_socket_takes_at_once_arrives_whole(harness: FanoutHarness) -> None:
    far = harness.join()
    large = bytes(range(32, 127)) * 20_000
    harness.put(large)
    heard = b""
    for _ in range(500):
        harness.turn(1)
        heard += received(far)
    assert shown(heard) == [large.decode()]


def test_one_that_the_ring_overtakes_is_told_and_goes_on() -> None:
    with closing(FanoutHarness(max_events=20)) as harness:
        slow = harness.join()
        for n in range(400):
            harness.put(b"%d %s" % (n, b"x" * 5000))
            harness.turn(1)
        heard = b""
        for _ in range(200):
            heard += received(slow)
            harness.turn(1)
        (gap,) = named(heard, "gap")
        assert gap.json["reason"] == "overflow"
        lost_from, lost_to = gap.json["lost"]["0"]  # type: ignore[index]  # {"0": [from, to]}
        numbers = [int(data.split()[0]) for data in shown(heard)]
        assert numbers == [*range(lost_from), *range(lost_to, 400)]


def test_one_that_leaves_is_forgotten(harness: FanoutHarness) -> None:
    far, other = harness.join(), harness.join()
    far.close()
    harness.turn()
    assert harness.fanout.count == 1
    harness.put(b"one")
    harness.turn()
    assert shown(received(other)) == ["one"]


def test_what_a_viewer_says_is_thrown_away(harness: FanoutHarness) -> None:
    far = harness.join()
    far.send(b"GET / HTTP/1.1\r\n\r\n" * 100)
    harness.turn()
    harness.put(b"one")
    harness.turn()
    assert shown(received(far)) == ["one"]
