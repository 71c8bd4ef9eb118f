"""A viewer that reads the event stream as a browser does and resumes from its position after a disconnect."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

# A stream sends something at least every 15 s; a viewer that receives nothing for longer reconnects.
SILENCE_S = 20


class Viewer:
    """One stream after another, read in a thread until the block ends.

    named: the events that have a name, as (name, data); payloads: the data of those that have none.
    """

    def __init__(self, url: str, position: str | None = None):
        self._url, self.position = url, position
        self.payloads: list[bytes] = []
        self.named: list[tuple[str, dict[str, Any]]] = []
        self.connections = 0
        self._stop = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._socket is not None:
            with suppress(OSError):  # the connection may have ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def is_live(self) -> bool:
        return ("status", "live") in [(name, data.get("state")) for name, data in self.named]

    def gaps(self) -> list[dict[str, Any]]:
        """Return the data of the gap events."""
        return [data for name, data in self.named if name == "gap"]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in list(self.payloads)]

    def times_seen(self) -> Counter[str]:
        """Return how often each order was shown."""
        return Counter(event["data"]["order_id"] for event in self.events if "order_id" in event["data"])

    def has_seen(self, orders: Iterable[str]) -> bool:
        """Return True when every order was shown. Raises AssertionError with what is missing."""
        missing = set(orders) - set(self.times_seen())
        assert not missing, (
            f"{len(missing)} orders were not shown in {self.connections} connections up to {self.position}; "
            f"shown: {len(self.payloads)}, last named events: {self.named[-4:]}"
        )
        return True

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._connect()
            except (OSError, HTTPException):
                self._stop.wait(0.2)

    def _connect(self) -> None:
        address = urlsplit(self._url)
        connection = HTTPConnection(address.netloc, timeout=SILENCE_S)
        try:
            headers = {"Last-Event-ID": self.position} if self.position else {}
            path = f"{address.path}?{address.query}" if address.query else address.path
            connection.request("GET", path, headers=headers)
            self._socket = connection.sock
            response = connection.getresponse()
            if response.status != 200:
                raise HTTPException(f"{response.status} ends an EventSource for good")
            self.connections += 1
            self._read(response)
        finally:
            connection.close()

    def _read(self, lines: Iterable[bytes]) -> None:
        block: dict[str, bytes] = {}
        for line in lines:
            name, _, value = line.rstrip(b"\r\n").partition(b":")
            if name:
                block[name.decode()] = value.removeprefix(b" ")
            else:
                self._take(block)
                block = {}

    def _take(self, block: dict[str, bytes]) -> None:
        if "id" in block:
            self.position = block["id"].decode()
        if "event" in block:
            self.named.append((block["event"].decode(), json.loads(block["data"])))
        elif "data" in block:
            self.payloads.append(block["data"])


# The `open_viewer` fixture: opens a stream and returns its viewer once it is live.
OpenViewer = Callable[[], Viewer]
