"""A busy process has descriptors above 1,024, which select() cannot wait for."""

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg2
import pytest
from psycopg2 import extensions

from producer.domain.query_deadline import QueryDeadline
from producer.relay.wakeup import Wakeup

SELECT_LIMIT = 1024


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Every descriptor below 1,024 is taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * SELECT_LIMIT
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this system allows {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while taken[-1] < SELECT_LIMIT:
            taken.append(os.dup(taken[0]))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        with suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class FakeConnection:
    """A psycopg2 connection on a socket, whose answer is complete at the second look."""

    def __init__(self, sock: socket.socket, state: int):
        self._sock, self._states = sock, [state, extensions.POLL_OK]

    def fileno(self) -> int:
        return self._sock.fileno()

    def poll(self) -> int:
        return self._states.pop(0)


def test_wakeup_waits_on_a_descriptor_above_1024(many_descriptors: None) -> None:
    wakeup = Wakeup()
    wakeup.set()
    started = time.monotonic()
    wakeup.wait(30)
    assert time.monotonic() - started < 10
    wakeup.wait(0)
    wakeup.close()


@pytest.mark.parametrize("state", [extensions.POLL_READ, extensions.POLL_WRITE])
def test_answer_is_awaited_on_a_descriptor_above_1024(many_descriptors: None, state: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"answer")
        assert ours.fileno() >= SELECT_LIMIT
        QueryDeadline(5)(FakeConnection(ours, state))


def test_wait_for_a_silent_server_ends_in_operational_error(many_descriptors: None) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(psycopg2.OperationalError, match=r"no answer within 0\.2 s"):
        QueryDeadline(0.2)(FakeConnection(ours, extensions.POLL_READ))
