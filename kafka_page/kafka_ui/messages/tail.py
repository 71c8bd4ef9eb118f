"""The live tail of a topic: what comes in from now on, in small batches, for a bounded number of viewers."""

import threading
import time
from collections.abc import Callable, Generator
from typing import NamedTuple

from kafka_ui.messages.kafka import OpenReader
from kafka_ui.messages.message import KEPT_BYTES, Message
from kafka_ui.messages.position import Position

MOST_TAILS = 4
BATCH_S = 0.5
MOST_IN_BATCH = 25
"""How many messages of a batch are shown: nobody reads faster. The others are counted."""
HEARTBEAT_S = 5.0


class Batch(NamedTuple):
    """What came in, oldest first, at most MOST_IN_BATCH; skipped: how many older ones are left out; next: after it."""

    messages: list[Message]
    skipped: int
    next: Position


class Tails:
    """Follows topics, at most MOST_TAILS at once: each holds a thread and a client."""

    def __init__(self, stopping: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._stopping, self._clock = stopping, clock
        self._free = threading.BoundedSemaphore(MOST_TAILS)

    def follow(
        self, open_reader: OpenReader, topic: str, start: Position, is_gone: Callable[[], bool]
    ) -> Generator[Batch] | None:
        """Return the batches, at least one in HEARTBEAT_S, which may be empty; None when all tails are taken.

        They end when the viewer is gone and when the process is to end. The generator has begun, so that `close` frees
        its place even if nobody has asked it for a batch."""
        if not self._free.acquire(blocking=False):
            return None
        batches = self._batches(open_reader, topic, dict(start), is_gone)
        next(batches)
        return batches

    def _batches(
        self, open_reader: OpenReader, topic: str, at: Position, is_gone: Callable[[], bool]
    ) -> Generator[Batch]:
        try:
            with open_reader(topic, at, KEPT_BYTES) as reader:
                yield Batch([], 0, dict(at))
                sent_at = self._clock()
                while not self._stopping.is_set() and not is_gone():
                    messages: list[Message] = []
                    read = 0
                    until = self._clock() + BATCH_S
                    while (left := until - self._clock()) > 0 and not self._stopping.is_set():
                        for message in reader.read(left).messages:
                            at[message.partition] = message.offset + 1
                            read += 1
                            messages = [*messages[-MOST_IN_BATCH + 1 :], message]
                    if messages or self._clock() - sent_at >= HEARTBEAT_S:
                        yield Batch(messages, read - len(messages), dict(at))
                        sent_at = self._clock()
        finally:
            self._free.release()
