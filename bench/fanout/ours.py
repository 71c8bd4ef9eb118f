"""Our consumer with a topic in memory, so that no broker is measured: for gunicorn, with its own configuration.

Everything is the real application but Kafka's client: the events come over a Unix socket (FEED), a line each, and are
spread over the topic's partitions. The tail reads, checks and rings them as ever."""

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from unittest.mock import patch

from flask import Flask

import consumer
from consumer import services
from consumer.config import Settings
from consumer.topic.kafka import BATCH, KafkaUnavailable, Read, Record, Topic

PARTITIONS = 6
TOPIC = Topic("AAAAAAAAAAAAAAAAAAAAAA", PARTITIONS)


class FedTopic:
    """An Admin and an OpenReader: the topic ends where it has been read to."""

    def __init__(self, path: str) -> None:
        """Open nothing yet: the first reader does, after the fork."""
        self._path = path
        self._ends = [0] * PARTITIONS
        self._listener: socket.socket | None = None
        self._source: socket.socket | None = None
        self._unread = b""
        self._numbers = count()

    def describe(self) -> Topic:
        """Return the topic's id and number of partitions."""
        return TOPIC

    def beginning_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return where each partition begins."""
        return (0,) * partitions

    def end_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return where each partition ends."""
        return tuple(self._ends)

    stable_offsets = end_offsets

    def offsets_since(self, since_ms: int, partitions: int) -> tuple[int | None, ...]:
        """Return that nothing is as new as any time: nobody asks for the past here."""
        return (None,) * partitions

    def __call__(self, offsets: Sequence[int]) -> "FedTopic":
        """Return the tail's reader. Raises KafkaUnavailable for the past, which is not kept here."""
        if tuple(offsets) != self.end_offsets(PARTITIONS):
            raise KafkaUnavailable("the topic in memory keeps no past")
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen()
        return self

    def read(self, timeout: float) -> Read:
        """Return what has come within `timeout` seconds, as one read from Kafka would."""
        lines = self._lines(timeout)
        now_ms = int(time.time() * 1000)
        return Read([self._record(line, now_ms) for line in lines], {}, set())

    def _lines(self, timeout: float) -> list[bytes]:
        lines = self._unread.split(b"\n", BATCH)
        if len(lines) <= 1:
            self._unread += self._receive(timeout)
            lines = self._unread.split(b"\n", BATCH)
        self._unread = lines.pop()
        return lines

    def _receive(self, timeout: float) -> bytes:
        waiting = self._source or self._listener
        assert waiting is not None
        waiting.settimeout(timeout)
        try:
            if self._source is None:
                self._source, _ = waiting.accept()
                return b""
            data = self._source.recv(1 << 18)
        except TimeoutError:
            return b""
        if not data:  # the bench opens a feed for each of its parts
            self._source.close()
            self._source = None
        return data

    def _record(self, line: bytes, now_ms: int) -> Record:
        partition = next(self._numbers) % PARTITIONS
        offset = self._ends[partition]
        self._ends[partition] += 1
        return Record(partition, offset, now_ms, line)

    def close(self) -> None:
        """Close the feed."""
        for each in (self._listener, self._source):
            if each is not None:
                each.close()
        self._listener = self._source = None


def create_app() -> Flask:
    """Return the application on the topic in memory."""
    topic = FedTopic(os.environ["FEED"])
    with patch.multiple(services, TopicAdmin=lambda *_: topic, TopicReader=partial(_reader, topic)):
        return consumer.create_app(Settings(kafka_bootstrap_servers="none.invalid:9092"))


def _reader(topic: FedTopic, _servers: str, _name: str, offsets: Sequence[int]) -> FedTopic:
    return topic(offsets)
