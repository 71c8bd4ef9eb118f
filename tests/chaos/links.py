"""A small TCP proxy in front of each server, with a rule for each pair of client and server.

Who a client is, is found by its port: the proxy looks which process of the stack owns it.
"""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

CHUNK = 65536
# Data that was read while the link is cut waits here; what is beyond it waits in the client's own socket.
QUEUE = 64


@dataclass(frozen=True)
class Rule:
    """What happens to the bytes of a link.

    cut: nothing gets through in either direction, and nobody is told, as when a cable is pulled. New connections
    are taken by the kernel and stay silent. delay_s: how much later each piece arrives, in each direction.
    """

    cut: bool = False
    delay_s: float = 0.0


OPEN = Rule()
# Who connects to whom, by the names of services; ANY is whoever it is.
ANY = "*"
Link = tuple[str, str]
# Of each connection of a process of the stack, by the ports of both its ends: the name of its service.
FindClients = Callable[[], Mapping[tuple[int, int], str]]
OUTSIDE = "outside"
FRESH_S = 0.2


@dataclass(eq=False)
class _Connection:
    """A connection through a proxy. client: who has opened it; None as long as no rule asks for that."""

    server: str
    ports: tuple[int, int]
    client: str | None = None

    @property
    def links(self) -> tuple[Link, ...]:
        client = self.client or OUTSIDE
        return (client, self.server), (client, ANY), (ANY, self.server), (ANY, ANY)


class Links:
    """The proxies of one stack, on an event loop of their own thread.

    ports: the proxy's port of each server by name. upstream: returns the server's own port. find_clients: called in a
    thread, and only while there are rules: looking up the owners of all connections takes some milliseconds.
    """

    def __init__(
        self, ports: Mapping[str, int], upstream: Callable[[str], int], find_clients: FindClients
    ) -> None:
        self.ports = dict(ports)
        self._upstream, self._find_clients = upstream, find_clients
        self._rules: dict[Link, Rule] = {}
        self._changed = asyncio.Condition()
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[_Connection] = set()
        self._clients: Mapping[tuple[int, int], str] = {}
        self._clients_at = float("-inf")
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *error: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @contextmanager
    def rules(self, links: Collection[Link], rule: Rule) -> Iterator[None]:
        """Put a rule on these links for the length of the block, on open connections as on new ones."""
        self._call(self._set(dict.fromkeys(links, rule)))
        try:
            yield
        finally:
            self._call(self._set(dict.fromkeys(links, OPEN)))

    def _call(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(20)

    async def _set(self, rules: Mapping[Link, Rule]) -> None:
        if any(rule != OPEN for rule in rules.values()):
            await self._look_up()
            for connection in self._open:
                self._identify(connection)
        async with self._changed:
            self._rules = {link: rule for link, rule in {**self._rules, **rules}.items() if rule != OPEN}
            self._changed.notify_all()

    async def _look_up(self) -> None:
        if self._loop.time() - self._clients_at > FRESH_S:
            began = self._loop.time()
            clients = await asyncio.to_thread(self._find_clients)
            if began > self._clients_at:
                self._clients, self._clients_at = clients, began

    def _identify(self, connection: _Connection) -> None:
        if connection.client is None:
            connection.client = self._clients.get(connection.ports)

    def _rule(self, connection: _Connection) -> Rule:
        if self._rules:
            for link in connection.links:
                if link in self._rules:
                    return self._rules[link]
        return OPEN

    async def _listen(self) -> None:
        for name, port in self.ports.items():
            self._servers.append(await asyncio.start_server(self._accept(name), "127.0.0.1", port))

    def _accept(self, server: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            ports = writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1]
            connection = _Connection(server, ports)
            self._tasks.add(task)
            self._open.add(connection)
            try:
                await self._connect(connection, reader, writer)
            except asyncio.CancelledError:
                return  # at the end; asyncio would log it
            finally:
                self._tasks.discard(task)
                self._open.discard(connection)
                writer.close()

        return serve

    async def _connect(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if any(server in (connection.server, ANY) for _, server in self._rules):
            await asyncio.sleep(FRESH_S)  # so that the next look sees this connection
            await self._look_up()
            self._identify(connection)
        await self._until_open(connection)
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self._upstream(connection.server))
        except OSError:
            return
        there = asyncio.create_task(self._carry(connection, reader, upstream[1]))
        back = asyncio.create_task(self._carry(connection, upstream[0], writer))
        try:
            await asyncio.wait([there, back])
        finally:
            for task in (there, back):
                task.cancel()
            upstream[1].close()

    async def _carry(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry bytes one way until their end. Read ahead, so that a delay does not become a lower rate."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUE)

        async def read() -> None:
            data = b"begin"
            while data:
                try:
                    data = await reader.read(CHUNK)
                except OSError:
                    data = b""
                await queue.put((self._loop.time(), data))

        reading = asyncio.create_task(read())
        try:
            data = b"begin"
            while data:
                at, data = await queue.get()
                await self._until_open(connection)
                wait_s = at + self._rule(connection).delay_s - self._loop.time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                    await self._until_open(connection)
                if data:
                    writer.write(data)
                    await writer.drain()
            writer.write_eof()
        except OSError:
            writer.transport.abort()  # the other end has gone
        finally:
            reading.cancel()

    async def _until_open(self, connection: _Connection) -> None:
        if self._rule(connection).cut:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._rule(connection).cut)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
