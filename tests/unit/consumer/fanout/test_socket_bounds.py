"""What a step of the fan-out, a lagging viewer and a newcomer may cost, whatever comes in meanwhile."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from consumer.fanout import client as client_module
from consumer.fanout.policy import (
    LAGGING_BYTES,
    LIVE_BYTES,
    SLICE_BYTES,
    SMALLEST_SLICE_BYTES,
    FanoutPolicy,
)
from consumer.fanout.resume import resume
from consumer.ring.types import BATCH_BYTES
from tests.unit.consumer.fanout.stream_text import blocks, shown
from tests.unit.consumer.fanout.test_sockets import (
    HEARTBEAT_S,
    STALL_S,
    WINDOW_S,
    FanoutHarness,
    blocks_of,
    receive,
)
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID


@pytest.fixture
def harness() -> Iterator[FanoutHarness]:
    with closing(FanoutHarness()) as harness:
        yield harness


def attach(harness: FanoutHarness, last_event_id: str | None = None) -> socket.socket:
    """Attach a viewer without letting the fan-out do anything; return the browser's end."""
    server, browser = socket.socketpair()
    harness.browsers.append(browser)
    browser.setblocking(False)
    viewer = resume(harness.ring, last_event_id, None)
    harness.fanout.attach(server, False, viewer, viewer.greeting(harness.state))
    return browser


def test_step_ends_although_events_come_in_as_fast_as_they_are_sent(
    harness: FanoutHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.join()
    sends = 0
    send_framed = client_module.Client.send_framed

    def send_while_another_event_arrives(client: client_module.Client, data: bytes) -> bool:
        nonlocal sends
        sends += 1
        if sends < 500:
            harness.put(b"%d" % sends)
        return send_framed(client, data)

    monkeypatch.setattr(client_module.Client, "send_framed", send_while_another_event_arrives)
    harness.put(b"first")
    harness.clock.now += 1
    harness.fanout.wake()
    harness.fanout.step()
    assert sends < 5


def test_newcomer_is_admitted_while_a_backlog_is_sent(harness: FanoutHarness) -> None:
    harness.join()
    harness.put(*(b"%d %s" % (n, b"x" * 10_000) for n in range(200)))  # eight slices
    newcomer = attach(harness)
    harness.put(b"after")
    for _ in range(20):
        harness.clock.now += WINDOW_S
        harness.fanout.wake()
        harness.fanout.step()
        for browser in harness.browsers[:-1]:
            receive(browser)
    assert shown(receive(newcomer)) == ["after"]


def test_returning_viewer_gets_no_event_twice_and_no_earlier_id(harness: FanoutHarness) -> None:
    """Events arrive between its admission and the end of the flush window, while others are live."""
    for _ in range(3):
        receive(harness.join())
    harness.put(*(b"%d" % n for n in range(50)))
    harness.step()
    browser = attach(harness, f"{TOPIC_ID};0:40")
    harness.fanout.step()
    for n in (50, 51):
        harness.put(b"%d" % n)
        harness.fanout.wake()
        harness.fanout.step()
        harness.fanout.wake()
        harness.fanout.step()
    harness.step()
    text = receive(browser)
    assert shown(text) == [str(n) for n in range(40, 52)]
    offsets = [int(block.last_id.split(":")[1]) for block in blocks(text) if block.last_id]
    assert offsets == sorted(offsets)


def test_viewer_from_a_faster_replica_gets_heartbeats_and_then_what_it_lacks(harness: FanoutHarness) -> None:
    harness.put(b"0")
    harness.step()
    browser = harness.join(last_event_id=f"{TOPIC_ID};0:3")
    receive(browser)
    harness.clock.now += HEARTBEAT_S
    harness.step()
    (status,) = blocks_of(receive(browser), "status")
    assert status.last_id == f"{TOPIC_ID};0:3"
    harness.put(b"1", b"2")
    harness.step()
    harness.put(b"3")
    harness.step()
    text = receive(browser)
    assert shown(text) == ["3"]
    assert blocks(text)[-1].last_id == f"{TOPIC_ID};0:4"


def test_viewer_from_a_faster_replica_gets_heartbeats_while_this_one_catches_up(
    harness: FanoutHarness,
) -> None:
    """Each step flushes, so at the end of it the viewer always lags, with nothing that it lacks."""
    harness.join()
    browser = harness.join(last_event_id=f"{TOPIC_ID};0:9000")
    receive(browser)
    for n in range(300):
        harness.put(b"%d" % n)
        harness.clock.now += HEARTBEAT_S / 100
        harness.fanout.wake()
        harness.fanout.step()
    text = receive(browser)
    assert shown(text) == []
    assert [block.last_id for block in blocks_of(text, "status")] == [f"{TOPIC_ID};0:9000"] * 3


def test_lagging_viewer_that_takes_everything_offered_is_not_cut(harness: FanoutHarness) -> None:
    """Each write is taken whole, but steps are slow, as many others are served: that is progress too."""
    harness.join()
    harness.put(*(b"%d %s" % (n, b"x" * 3000) for n in range(400)))
    harness.step()
    receive(harness.browsers[0])
    browser = attach(harness, f"{TOPIC_ID};0:0")
    received = b""
    for _ in range(400):
        harness.clock.now += STALL_S / 20
        harness.fanout.wake()
        harness.fanout.step()
        received += receive(browser)
        receive(harness.browsers[0])
    assert len(shown(received)) == 400
    assert harness.fanout.count == 2


def rests_of_lagging_viewers(harness: FanoutHarness, first_offsets: list[int]) -> list[tuple[int, int]]:
    """Let a viewer come back at each offset, none of which reads; return the id and size of what each has unsent a
    part of."""
    harness.join()
    harness.put(*(b"%d %s" % (n, b"x" * 3000) for n in range(400)))
    harness.step()
    for offset in first_offsets:
        attach(harness, f"{TOPIC_ID};0:{offset}")
    for _ in range(4):
        harness.fanout.wake()
        harness.fanout.step()
    written = [client._rest.obj for client in harness.fanout._lagging if client.has_rest]
    rests = [(id(data), memoryview(data).nbytes) for data in written]
    assert len(rests) >= len(first_offsets)
    return rests


def test_lagging_viewers_share_one_copy_of_what_they_are_sent() -> None:
    with closing(FanoutHarness(buffer_bytes=SLICE_BYTES)) as harness:
        rests = rests_of_lagging_viewers(harness, [0] * 30)
        assert len(set(rests)) < 5


def test_lagging_viewers_that_share_no_copy_hold_no_more_than_a_slice_each() -> None:
    """However many events were read together."""
    with closing(FanoutHarness(buffer_bytes=SLICE_BYTES)) as harness:
        rests = rests_of_lagging_viewers(harness, list(range(1, 51)))
        assert max(size for _, size in rests) < SLICE_BYTES + 2 * BATCH_BYTES


@pytest.mark.parametrize("lagging", [1, 10, 200, 2000])
def test_lagging_viewers_together_hold_a_bounded_sum(lagging: int) -> None:
    policy = FanoutPolicy(WINDOW_S, HEARTBEAT_S, STALL_S)
    size = policy.lagging_slice_bytes(lagging)
    assert size * lagging <= max(LAGGING_BYTES, lagging * SMALLEST_SLICE_BYTES)
    assert lagging > 1 or size == policy.buffer_bytes


@pytest.mark.parametrize("live", [1, 100, 1000, 4000])
def test_step_writes_a_bounded_sum_to_live_viewers(live: int) -> None:
    policy = FanoutPolicy(WINDOW_S, HEARTBEAT_S, STALL_S)
    assert policy.live_slice_bytes(live) * live <= LIVE_BYTES


def test_ended_fanout_closes_viewers_that_were_never_admitted(harness: FanoutHarness) -> None:
    browser = attach(harness)
    harness.fanout.end_all()
    assert receive(browser).endswith(b"<end>")
