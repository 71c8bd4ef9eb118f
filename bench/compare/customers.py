"""Customers who place orders at a fixed rate, whatever the server does, and keep account of every answer."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

from bench.compare.account import Change

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
CONFIRMED = {"status": "confirmed"}
TIMEOUT_S = 15.0
# How long after the last order the load waits for answers.
LAST_ANSWERS_S = 3 * TIMEOUT_S
# One order in so many is changed as soon as it is acknowledged.
CHANGE_EVERY = 4
# How long a burst may last: a server that answers nobody would keep it for more than an hour.
BURST_S = 300.0


class Answered(Enum):
    """What a customer knows. REFUSED: nothing was stored. UNKNOWN: no answer, or one that leaves it open."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass
class Ledger:
    """The customers' account. counts: how many requests were answered how."""

    acknowledged: set[Change] = field(default_factory=set)
    counts: dict[Answered, int] = field(default_factory=lambda: dict.fromkeys(Answered, 0))


class _Connection:
    """One connection of HTTP/1.1 that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer

    @classmethod
    async def opened(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, method: str, path: str, body: dict[str, object]) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the answer. Raises OSError, EOFError or ValueError."""
        content = json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self._writer.write(head.encode() + content)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        lines = answer.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), await self._reader.readexactly(int(fields["content-length"]))

    @property
    def is_open(self) -> bool:
        """Whether the server has not hung up, as servers do with connections that are idle for some seconds."""
        return not self._reader.at_eof()

    def close(self) -> None:
        self._writer.close()


class Customers:
    """Sends requests to one port by as many connections as are needed, and keeps the idle ones."""

    def __init__(self, port: int):
        self.ledger = Ledger()
        self._port = port
        self._idle: deque[_Connection] = deque()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def place(self, number: int) -> None:
        """Place an order, and change some of them at once."""
        if (order_id := await self._change("POST", "/orders", ORDER, 1)) and number % CHANGE_EVERY == 0:
            await self._change("PATCH", f"/orders/{order_id}", CONFIRMED, 2)

    async def _change(self, method: str, path: str, body: dict[str, Any], step: int) -> str | None:
        try:
            answered, order_id = await self._ask(method, path, body)
        except asyncio.CancelledError:
            self.ledger.counts[Answered.UNKNOWN] += 1  # the load has ended before the answer came
            raise
        self.ledger.counts[answered] += 1
        if answered is not Answered.ACKNOWLEDGED or order_id is None:
            return None
        self.ledger.acknowledged.add(Change(order_id, step))
        return order_id

    async def _ask(self, method: str, path: str, body: dict[str, Any]) -> tuple[Answered, str | None]:
        try:
            connection = await self._find_connection()
        except (OSError, TimeoutError):
            return Answered.REFUSED, None  # nothing was sent
        try:
            status, content = await asyncio.wait_for(connection.ask(method, path, body), TIMEOUT_S)
        except (OSError, EOFError, ValueError, KeyError, TimeoutError, asyncio.LimitOverrunError):
            connection.close()
            return Answered.UNKNOWN, None
        except asyncio.CancelledError:
            connection.close()
            raise
        self._idle.append(connection)
        return judge(status, content)

    async def _find_connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.close()
        return await asyncio.wait_for(_Connection.opened(self._port), TIMEOUT_S)


def judge(status: int, content: bytes) -> tuple[Answered, str | None]:
    """Return what an answer says, and the order's id when it was acknowledged."""
    if status in (200, 201):
        with suppress(ValueError, KeyError, TypeError):
            return Answered.ACKNOWLEDGED, str(json.loads(content)["id"])
        return Answered.UNKNOWN, None
    if status in (500, 502, 504) or b"may have been stored" in content:
        return Answered.UNKNOWN, None
    return Answered.REFUSED, None


def at_rate(port: int, rate: float, seconds: float) -> Ledger:
    """Place `rate` orders a second for `seconds`, and wait for the answers. An order is sent when it is due."""

    async def offer(customers: Customers) -> None:
        begun, tasks = time.monotonic(), set[asyncio.Task[None]]()
        for number in range(int(rate * seconds)):
            if (early := begun + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(early)
            task = asyncio.create_task(customers.place(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_ANSWERS_S)

    return _run(port, offer)


def all_at_once(port: int, count: int, connections: int) -> Ledger:
    """Place `count` orders, each connection the next one as soon as its last is answered, for BURST_S at most."""

    async def offer(customers: Customers) -> None:
        left = iter(range(1, 1 + count * CHANGE_EVERY, CHANGE_EVERY))  # none of them is changed

        async def customer() -> None:
            for number in left:
                await customers.place(number)

        with suppress(TimeoutError):
            async with asyncio.timeout(BURST_S):
                await asyncio.gather(*(customer() for _ in range(connections)))

    return _run(port, offer)


def _run(port: int, offer: Callable[[Customers], Awaitable[None]]) -> Ledger:
    async def run() -> Ledger:
        customers = Customers(port)
        try:
            await offer(customers)
        finally:
            customers.close()
        return customers.ledger

    return asyncio.run(run())
