"""A message of a topic, as much of it as is kept to be shown."""

from typing import NamedTuple

KEPT_BYTES = 16 << 10
"""How much of each value is kept on a page of many messages."""
KEPT_ALONE_BYTES = 256 << 10
"""How much of the value is kept where one message is shown alone."""
KEPT_KEY_BYTES = 1 << 10
KEPT_HEADERS = 50


class Kept(NamedTuple):
    """The beginning of a key or a value, and its whole size in bytes. data: None for null."""

    data: bytes | None
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing was cut off."""
        return len(self.data or b"") == self.size


class Message(NamedTuple):
    """A message. headers: at most KEPT_HEADERS of them; header_count: how many there are."""

    partition: int
    offset: int
    timestamp_ms: int
    key: Kept
    value: Kept
    headers: tuple[tuple[str, Kept], ...]
    header_count: int

    def header(self, name: str) -> bytes | None:
        """Return the value of a header, or None."""
        return next((kept.data for found, kept in self.headers if found == name), None)


def keep(data: bytes | None, most: int) -> Kept:
    """Return at most so many bytes of a key or a value."""
    return Kept(None, 0) if data is None else Kept(data[:most], len(data))
