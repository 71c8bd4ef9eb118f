"""Commands for a browser over a WebSocket (RFC 6455): WebDriver BiDi (https://w3c.github.io/webdriver-bidi/) and the
Chrome DevTools Protocol (https://chromedevtools.github.io/devtools-protocol/) have the same envelope."""

import base64
import json
import os
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class WebSocket:
    """A client's end of a WebSocket."""

    def __init__(self, url: str, timeout_s: float) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout_s)
        self._stream = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status = self._stream.readline()
        assert b" 101 " in status, status
        while self._stream.readline().strip():
            pass

    def send(self, text: str) -> None:
        """Send a text in one frame."""
        self._send(TEXT, text.encode())

    def receive(self) -> str:
        """Return the next text."""
        text = b""
        while True:
            first, second = self._read(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self._read(2 if size == 126 else 8))
            data = self._read(size)
            kind = first & 0xF
            if kind == CLOSE:
                raise EOFError("the browser has closed the connection")
            if kind == PING:
                self._send(PONG, data)
            elif kind != PONG:
                text += data
                if first & 0x80:
                    return text.decode()

    def close(self) -> None:
        """Close the connection without a word."""
        self._stream.close()
        self._socket.close()

    def _send(self, kind: int, data: bytes) -> None:
        size = len(data)
        head = struct.pack("!BB", 0x80 | kind, 0x80 | min(size, 126))
        if size > 125:
            head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, size)
        mask = os.urandom(4)  # Firefox takes a mask of zeros for none, and hangs up
        self._socket.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError("the browser has ended")
        return data


class Remote:
    """A connection that carries commands and their results. timeout_s: the longest wait for a result."""

    def __init__(self, url: str, timeout_s: float = 60) -> None:
        self._socket = WebSocket(url, timeout_s)
        self._number = 0

    def call(self, method: str, params: dict[str, object], **envelope: object) -> Any:
        """Call a command and return its result. Raises AssertionError when the browser refuses it."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params, **envelope}
        self._socket.send(json.dumps(command))
        while True:
            answer = json.loads(self._socket.receive())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
