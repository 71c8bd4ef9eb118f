"""How far behind groups are: in messages by offsets, in seconds by the age of the next message of each partition."""

from collections.abc import Mapping
from dataclasses import dataclass

from kafka_ui.cluster.admin import Group
from kafka_ui.messages.kafka import OpenReader
from kafka_ui.messages.reading import Limits, Range, onward
from kafka_ui.wire.questions import Place


@dataclass(frozen=True)
class Lag:
    """How far a group is behind in one partition. messages, seconds: None where it is not known.

    reader: the client id of the member that has the partition, "" for none.
    """

    place: Place
    committed: int
    messages: int | None
    seconds: float | None
    reader: str


def lags(
    group: Group, ranges: Mapping[Place, Range], open_reader: OpenReader, limits: Limits, now: float
) -> list[Lag]:
    """Return the lag of every partition that the group has committed in. now: Unix time in seconds."""
    committed = group.committed or {}
    readers = {place: member.client_id for member in group.members for place in member.places}
    ages = _ages(committed, ranges, open_reader, limits, now)
    return [
        Lag(place, offset, _behind(offset, ranges.get(place)), ages.get(place), readers.get(place, ""))
        for place, offset in sorted(committed.items())
    ]


def _behind(offset: int, window: Range | None) -> int | None:
    return None if window is None else max(0, window.end - max(offset, window.first))


def _ages(
    committed: Mapping[Place, int],
    ranges: Mapping[Place, Range],
    open_reader: OpenReader,
    limits: Limits,
    now: float,
) -> dict[Place, float]:
    """Return the age of the first message that the group has not committed, by partition; 0 where there is none."""
    ages: dict[Place, float] = {}
    starts: dict[str, dict[int, int]] = {}
    for (topic, partition), offset in committed.items():
        behind = _behind(offset, ranges.get((topic, partition)))
        if behind == 0:
            ages[topic, partition] = 0.0
        elif behind:
            starts.setdefault(topic, {})[partition] = offset
    for topic, start in starts.items():
        windows = {each: ranges[topic, each] for each in start}
        # One of each partition: the window of a partition is as long as what is wanted of all.
        ones = {
            each: Range(max(windows[each].first, at), max(windows[each].first, at) + 1)
            for each, at in start.items()
        }
        found = onward(open_reader, topic, ones, start, len(start), limits, kept_bytes=0)
        for message in found.messages:
            ages[topic, message.partition] = max(0.0, now - message.timestamp_ms / 1000)
    return ages
