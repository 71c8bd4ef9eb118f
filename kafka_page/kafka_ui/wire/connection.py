"""A connection to one broker, with one deadline for all that is asked over it."""

import socket
import time
from types import TracebackType
from typing import Self, TypeVar

from kafka_ui.wire.encoding import Fields, UnreadableResponse, request
from kafka_ui.wire.questions import Question

T = TypeVar("T")

MAX_RESPONSE_BYTES = 8 << 20


class Connection:
    """Asks one broker. One that hangs accepts connections and never answers, so every wait ends at the deadline."""

    def __init__(self, address: str, within_s: float) -> None:
        """Connect to host:port; all that follows ends `within_s` seconds from now. Raises OSError."""
        self._deadline = time.monotonic() + within_s
        self._correlation = 0
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host.strip("[]"), int(port)), within_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()

    def ask(self, question: Question[T]) -> T:
        """Return the broker's answer. Raises OSError, TimeoutError among them, UnreadableResponse, and Refused."""
        self._correlation += 1
        self._wait_no_longer()
        self._socket.sendall(request(question.api, question.version, self._correlation, question.body))
        length = int.from_bytes(self._receive(4))
        if not 4 <= length <= MAX_RESPONSE_BYTES:
            raise UnreadableResponse(f"a response of {length} bytes")
        fields = Fields(self._receive(length))
        if fields.int32() != self._correlation:
            raise UnreadableResponse("a response to another request")
        fields.tags()
        return question.read(fields)

    def _receive(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            self._wait_no_longer()
            part = self._socket.recv(min(1 << 16, length - len(received)))
            if not part:
                raise ConnectionError("the broker has closed the connection")
            received += part
        return bytes(received)

    def _wait_no_longer(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left)
