"""The types of Kafka's "flexible" messages (KIP-482), to write a request and to read a response."""

import struct
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")

NO_TAGS = b"\0"
EVERYTHING = b"\0"
"""An array that is null: all topics."""


class UnreadableResponse(Exception):
    """A response is shorter than it says, or not one of Kafka's."""


def request(api: int, version: int, correlation: int, body: bytes) -> bytes:
    """Return a whole request: its length, its header with our name, and the body."""
    name = b"kafka-ui"
    header = struct.pack(">hhih", api, version, correlation, len(name)) + name + NO_TAGS
    return struct.pack(">i", len(header) + len(body)) + header + body


def varint(value: int) -> bytes:
    """Return an unsigned number of seven bits to the byte."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def text(value: str) -> bytes:
    """Return a string."""
    encoded = value.encode()
    return varint(len(encoded) + 1) + encoded


def array(items: Sequence[bytes]) -> bytes:
    """Return an array of what is encoded already."""
    return varint(len(items) + 1) + b"".join(items)


class Fields:
    """Reads a response field by field. Every method raises UnreadableResponse at its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, length: int) -> bytes:
        """Return the next bytes."""
        taken = self._data[self._at : self._at + length]
        if length < 0 or len(taken) < length:
            raise UnreadableResponse("a response has ended early")
        self._at += length
        return taken

    def int16(self) -> int:
        return int.from_bytes(self.take(2), signed=True)

    def int32(self) -> int:
        return int.from_bytes(self.take(4), signed=True)

    def int64(self) -> int:
        return int.from_bytes(self.take(8), signed=True)

    def boolean(self) -> bool:
        return self.take(1) != b"\0"

    def uuid(self) -> UUID:
        return UUID(bytes=self.take(16))

    def varint(self) -> int:
        """Return an unsigned number of seven bits to the byte, five bytes at most."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise UnreadableResponse("a number is too long")

    def text(self) -> str | None:
        """Return a string, or None for null."""
        length = self.varint()
        return self.take(length - 1).decode(errors="replace") if length else None

    def array(self, read: Callable[[], T]) -> list[T]:
        """Return an array of what `read` reads; null is empty."""
        length = self.varint() - 1
        if length > len(self._data):
            raise UnreadableResponse("an array is longer than its response")
        return [read() for _ in range(max(0, length))]

    def tags(self) -> None:
        """Skip the optional fields at the end of a structure."""
        for _ in range(self.varint()):
            self.varint()
            self.take(self.varint())
