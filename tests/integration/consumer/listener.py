"""One connection to `/stream`, read as a browser reads it."""

import http.client
import socket
import threading
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlencode

from tests.eventually import eventually
from tests.unit.consumer.fanout.stream_text import Block, blocks


class Listener:
    """Reads blocks in a thread until the stream ends or the block is left.

    ended_well: whether the stream ended as HTTP demands; None while it is open.
    """

    def __init__(
        self, port: int, last_event_id: str | None = None, start: str | None = None, **wanted: str
    ) -> None:
        """Connect. wanted: the parameters that filter."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        parameters = wanted | ({"from": start} if start else {})
        query = "?" + urlencode(parameters) if parameters else ""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        self._connection.request("GET", "/stream" + query, headers=headers)
        self._socket = self._connection.sock
        self.response = self._connection.getresponse()
        self.blocks: list[Block] = []
        self._rest = b""
        self._received = 0
        self._pause_at = float("inf")
        self._may_go_on = threading.Event()
        self.ended_well: bool | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while data := self.response.read1(1 << 16):
                self._take(data)
                self._received += len(data)
                if self._received > self._pause_at:
                    self._may_go_on.wait(60)
            self.ended_well = True
        except (OSError, http.client.HTTPException, ValueError):
            self.ended_well = False

    def pause_after(self, received: int) -> None:
        """Read no more after so many bytes, for at most a minute."""
        self._pause_at = received

    def go_on(self) -> None:
        """Read again."""
        self._pause_at = float("inf")
        self._may_go_on.set()

    def _take(self, data: bytes) -> None:
        complete, end, self._rest = (self._rest + data).rpartition(b"\n\n")
        self.blocks += blocks(complete + end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the connection may have ended by itself
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self.response.close()
        self._connection.close()

    def events(self) -> list[str]:
        """Return the data of the events without a name: those from the topic."""
        return [block.data for block in self.blocks if block.event == "message"]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [block.json for block in self.blocks if block.event == event]

    def is_live(self) -> bool:
        """Return whether the last status that came speaks of no replay; False before the first."""
        states = self.named("status")
        return bool(states) and "replay" not in states[-1]

    @property
    def position(self) -> str:
        """The position with which a browser would reconnect."""
        eventually(lambda: any(block.last_id for block in self.blocks))
        return next(block.last_id for block in reversed(self.blocks) if block.last_id)

    def wait_for(self, count: int, within: float = 15) -> list[str]:
        eventually(lambda: len(self.events()) >= count, within)
        return self.events()

    def wait_for_end(self, within: float) -> bool:
        self._thread.join(within)
        assert self.ended_well is not None, "the stream is still open"
        return self.ended_well
