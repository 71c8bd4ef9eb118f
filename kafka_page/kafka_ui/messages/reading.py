"""Bounded reads: the newest messages, those from a place on, those of one key.

Each says where to go on, and which partitions it knows nothing of."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kafka_ui.messages.kafka import OpenReader
from kafka_ui.messages.message import KEPT_BYTES, Message
from kafka_ui.messages.position import Position

POLL_S = 0.2
MOST_SCANNED = 50_000
"""How many messages of a partition are looked through for a key, at most, before the page says where it stopped."""
MOST_OF_A_KEY = 200


class Range(NamedTuple):
    """The offsets that a partition has: from `first` up to, not including, `end`."""

    first: int
    end: int


class Gone(Exception):
    """Whoever asked has closed the connection: nobody would see the answer."""


@dataclass(frozen=True)
class Limits:
    """When a read ends. is_gone: whether nobody waits for it any more."""

    seconds: float
    is_gone: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Found:
    """Messages in the order to show them. next: where the next page goes on, None at the end.

    unread: partitions that were not read as far as wanted, so that what they hold there is not known.
    scanned: how many messages were looked through.
    """

    messages: list[Message]
    next: Position | None
    unread: list[int] = field(default_factory=list)
    scanned: int = 0


Windows = Mapping[int, Range]


def newest(
    open_reader: OpenReader, topic: str, ranges: Windows, before: Position, most: int, limits: Limits
) -> Found:
    """Return the newest messages before a position, newest first. before: {} for the end of the topic."""
    windows = {}
    for partition, (first, end) in ranges.items():
        until = min(end, max(first, before.get(partition, end)))
        windows[partition] = Range(max(first, until - most), until)
    by_partition, unread, scanned = _collect(open_reader, topic, windows, limits)
    heads = {each: sorted(found, key=_offset, reverse=True) for each, found in by_partition.items()}
    taken = _merge(heads, most, lambda p: windows[p].first <= ranges[p].first, lambda m: -m.timestamp_ms)
    lowest = {partition: window.end for partition, window in windows.items()}
    for message in taken:
        lowest[message.partition] = message.offset
    for partition, left in heads.items():
        if not left:  # all of it was taken, or it holds nothing that a reader gets
            lowest[partition] = windows[partition].first
    is_end = all(offset <= ranges[partition].first for partition, offset in lowest.items())
    return Found(taken, None if is_end else lowest, unread, scanned)


def onward(
    open_reader: OpenReader,
    topic: str,
    ranges: Windows,
    start: Position,
    most: int,
    limits: Limits,
    kept_bytes: int = KEPT_BYTES,
) -> Found:
    """Return messages from a position on, oldest first. Partitions that `start` does not name are left out."""
    windows = {}
    for partition, (first, end) in ranges.items():
        if partition in start:
            begin = max(first, min(end, start[partition]))
            windows[partition] = Range(begin, min(end, begin + most))
    by_partition, unread, scanned = _collect(open_reader, topic, windows, limits, kept_bytes)
    heads = {each: sorted(found, key=_offset) for each, found in by_partition.items()}
    taken = _merge(heads, most, lambda p: windows[p].end >= ranges[p].end, lambda m: m.timestamp_ms)
    reached = {partition: window.first for partition, window in windows.items()}
    for message in taken:
        reached[message.partition] = message.offset + 1
    for partition, left in heads.items():
        if not left:
            reached[partition] = windows[partition].end
    is_end = all(offset >= ranges[partition].end for partition, offset in reached.items())
    return Found(taken, None if is_end else reached, unread, scanned)


def of_key(
    open_reader: OpenReader, topic: str, partition: int, key: bytes, window: Range, limits: Limits
) -> Found:
    """Return the messages of a key in its partition, in order, looking through MOST_SCANNED messages at most."""
    found: list[Message] = []
    at, scanned, deadline = window.first, 0, limits.clock() + limits.seconds
    if at >= window.end:
        return Found([], None)
    with open_reader(topic, {partition: at}, KEPT_BYTES) as reader:
        while at < window.end and scanned < MOST_SCANNED and len(found) < MOST_OF_A_KEY:
            left = _left(limits, deadline)
            if left <= 0:
                break
            read = reader.read(min(POLL_S, left))
            for message in read.messages:
                if at >= window.end or len(found) >= MOST_OF_A_KEY:
                    break
                at, scanned = message.offset + 1, scanned + 1
                if message.key.data == key and message.key.is_whole:
                    found.append(message)
            at = max(at, read.ends.get(partition, at)) if not read.messages or at < window.end else at
            if partition in read.broken:
                return Found(found, {partition: at}, [partition], scanned)
    return Found(found, {partition: at} if at < window.end else None, [], scanned)


def _collect(
    open_reader: OpenReader, topic: str, windows: Windows, limits: Limits, kept_bytes: int = KEPT_BYTES
) -> tuple[dict[int, list[Message]], list[int], int]:
    """Read the windows. Return the messages of those that were read as a whole, the other partitions, and how many
    messages were read. Half a window would not do: its messages may not be the next ones."""
    wanted = {partition: window for partition, window in windows.items() if window.first < window.end}
    by_partition: dict[int, list[Message]] = {partition: [] for partition in windows}
    reached = {partition: window.first for partition, window in wanted.items()}
    broken: set[int] = set()
    scanned, deadline = 0, limits.clock() + limits.seconds

    def missing() -> set[int]:
        return {each for each, window in wanted.items() if reached[each] < window.end} - broken

    if wanted:
        with open_reader(topic, reached, kept_bytes) as reader:
            while missing() and (left := _left(limits, deadline)) > 0:
                read = reader.read(min(POLL_S, left))
                scanned += len(read.messages)
                for message in read.messages:
                    reached[message.partition] = message.offset + 1
                    if message.offset < wanted[message.partition].end:
                        by_partition[message.partition].append(message)
                for partition, end in read.ends.items():
                    reached[partition] = max(reached[partition], end)
                broken |= read.broken
    unread = sorted(missing() | broken)
    whole = {each: found for each, found in by_partition.items() if each not in unread}
    return whole, unread, scanned


def _left(limits: Limits, deadline: float) -> float:
    if limits.is_gone():
        raise Gone
    return deadline - limits.clock()


def _merge(
    heads: dict[int, list[Message]],
    most: int,
    is_last_window: Callable[[int], bool],
    order: Callable[[Message], int],
) -> list[Message]:
    """Take messages from the heads of the partitions by their time, and leave the others in `heads`.

    It ends where a partition has more behind its window: its next message may come before those of the others."""
    taken: list[Message] = []
    open_ended = {each for each in heads if not is_last_window(each)}
    while len(taken) < most and all(heads[each] for each in open_ended):
        candidates = [found[0] for found in heads.values() if found]
        if not candidates:
            break
        first = min(candidates, key=order)
        taken.append(heads[first.partition].pop(0))
    return taken


def _offset(message: Message) -> int:
    return message.offset


def positions(ranges: Iterable[tuple[int, Range]]) -> Position:
    """Return where each partition ends."""
    return {partition: window.end for partition, window in ranges}
