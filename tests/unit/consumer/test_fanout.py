import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from consumer.arrival import arrive
from consumer.batch import Event
from consumer.fanout import Pace, SocketFanout
from consumer.position import Position
from consumer.ring import Ring
from tests.unit.consumer.fake_kafka import TOPIC_ID, Clock
from tests.unit.consumer.stream_text import Block, blocks, shown

WINDOW_S, HEARTBEAT_S, STALL_S = 0.02, 10, 15


class Hall:
    """A fan-out turned by hand; viewers are socket pairs."""

    def __init__(self, max_events: int = 10_000) -> None:
        self.ring = Ring(max_events, 64 << 20)
        self.ring.open(Position(TOPIC_ID, (0,)))
        self.clock = Clock()
        self.state = "live"
        pace = Pace(WINDOW_S, HEARTBEAT_S, STALL_S, buffer_bytes=8 << 10)
        self.fanout = SocketFanout(self.ring, lambda: self.state, pace, self.clock)
        self.far_ends: list[socket.socket] = []

    def join(self, chunked: bool = False, last_event_id: str | None = None) -> socket.socket:
        near, far = socket.socketpair()
        self.far_ends.append(far)
        far.setblocking(False)
        viewer = arrive(self.ring, last_event_id, None)
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
def hall() -> Iterator[Hall]:
    with closing(Hall()) as made:
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


def test_viewers_who_come_at_different_times_get_what_comes_after(hall: Hall) -> None:
    first = hall.join()
    hall.put(b"one")
    hall.turn()
    second = hall.join()
    hall.put(b"two", b"three")
    hall.turn()
    assert shown(received(first)) == ["one", "two", "three"]
    assert shown(received(second)) == ["two", "three"]


def test_one_that_comes_back_first_gets_what_it_missed(hall: Hall) -> None:
    hall.put(*(b"%d" % n for n in range(50)))
    hall.turn()
    far = hall.join(last_event_id=f"{TOPIC_ID};0:48")
    hall.put(b"50")
    hall.turn()
    assert shown(received(far)) == ["48", "49", "50"]


def test_a_flush_carries_many_events_and_one_id(hall: Hall) -> None:
    far = hall.join()
    received(far)
    for n in range(5):
        hall.put(b"%d" % n)
    hall.turn()
    text = received(far)
    assert shown(text) == ["0", "1", "2", "3", "4"]
    assert text.count(b"\nid: ") == 1
    assert blocks(text)[-1].last_id == f"{TOPIC_ID};0:5"


def test_chunks_are_whole_and_end_with_the_empty_one(hall: Hall) -> None:
    far = hall.join(chunked=True)
    hall.put(b"one")
    hall.turn()
    hall.fanout.end_all()
    text, rest = b"", received(far)
    while rest != b"<end>":
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        text, end, rest = text + rest[:length], rest[length : length + 2], rest[length + 2 :]
        assert end == b"\r\n"
    assert shown(text) == ["one"]
    assert length == 0


def test_a_quiet_stream_gets_a_status_with_the_position(hall: Hall) -> None:
    far = hall.join()
    received(far)
    hall.ring.append([], Position(TOPIC_ID, (7,)))
    hall.clock.now += HEARTBEAT_S
    hall.turn()
    (status,) = named(received(far), "status")
    assert (status.json["state"], status.last_id) == ("live", f"{TOPIC_ID};0:7")


def test_a_change_of_state_is_said_at_once(hall: Hall) -> None:
    far = hall.join()
    received(far)
    hall.state = "stale"
    hall.turn()
    assert [status.json["state"] for status in named(received(far), "status")] == ["stale"]


def test_one_that_does_not_read_holds_nobody_up_and_is_cut(hall: Hall) -> None:
    deaf, other = hall.join(), hall.join()
    heard = b""
    for n in range(400):
        hall.put(b"%d %s" % (n, b"x" * 5000))
        hall.turn(1)
        heard += received(other)
    assert [data.split()[0] for data in shown(heard)] == [str(n) for n in range(400)]
    assert hall.fanout.count == 2
    hall.clock.now += STALL_S + 1
    hall.turn()
    assert hall.fanout.count == 1
    assert len(deaf.recv(16 << 20)) < 1 << 20


def test_a_slow_one_catches_up_with_everything(hall: Hall) -> None:
    slow = hall.join()
    for n in range(200):
        hall.put(b"%d %s" % (n, b"x" * 5000))
        hall.turn(1)
    heard = b""
    for _ in range(500):
        heard += received(slow)
        hall.turn(1)
    assert [data.split()[0] for data in shown(heard)] == [str(n) for n in range(200)]
    hall.put(b"last")
    hall.turn()
    assert shown(received(slow)) == ["last"]


def test_what_is_larger_than_the_socket_takes_at_once_arrives_whole(hall: Hall) -> None:
    far = hall.join()
    large = bytes(range(32, 127)) * 20_000
    hall.put(large)
    heard = b""
    for _ in range(500):
        hall.turn(1)
        heard += received(far)
    assert shown(heard) == [large.decode()]


def test_one_that_the_ring_overtakes_is_told_and_goes_on() -> None:
    with closing(Hall(max_events=20)) as hall:
        slow = hall.join()
        for n in range(400):
            hall.put(b"%d %s" % (n, b"x" * 5000))
            hall.turn(1)
        heard = b""
        for _ in range(200):
            heard += received(slow)
            hall.turn(1)
        (gap,) = named(heard, "gap")
        assert gap.json["reason"] == "overflow"
        lost_from, lost_to = gap.json["lost"]["0"]  # type: ignore[index]  # {"0": [from, to]}
        numbers = [int(data.split()[0]) for data in shown(heard)]
        assert numbers == [*range(lost_from), *range(lost_to, 400)]


def test_one_that_leaves_is_forgotten(hall: Hall) -> None:
    far, other = hall.join(), hall.join()
    far.close()
    hall.turn()
    assert hall.fanout.count == 1
    hall.put(b"one")
    hall.turn()
    assert shown(received(other)) == ["one"]


def test_what_a_viewer_says_is_thrown_away(hall: Hall) -> None:
    far = hall.join()
    far.send(b"GET / HTTP/1.1\r\n\r\n" * 100)
    hall.turn()
    hall.put(b"one")
    hall.turn()
    assert shown(received(far)) == ["one"]
