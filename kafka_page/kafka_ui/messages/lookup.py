"""Where to look for a key."""

from uuid import UUID

from kafka_ui.messages.partitioner import partition_of
from kafka_ui.messages.reading import Range

CLOCKS_DIFFER_MS = 5 * 60 * 1000


def place_of(key: str, ranges: dict[int, Range], partitions: int) -> tuple[int, Range | None]:
    """Return the partition of a key and its offsets, None when they are not known."""
    partition = partition_of(key.encode(), partitions)
    return partition, ranges.get(partition)


def earliest_ms(key: str) -> int | None:
    """Return the Unix time in milliseconds before which no message has this key; None if the key does not tell.

    An order's id is a UUID of version 7: it begins with when it was made, by a clock that may be wrong by minutes."""
    try:
        found = UUID(key)
    except ValueError:
        return None
    return max(0, (found.int >> 80) - CLOCKS_DIFFER_MS) if found.version == 7 else None
