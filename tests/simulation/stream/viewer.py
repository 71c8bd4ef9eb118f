"""A browser with the dashboard open: reads the stream as EventSource does, and knows what it must have by now."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from consumer.ring.position import Position
from tests.simulation.runner import Violation
from tests.simulation.stream.kafka import Entry, Key
from tests.simulation.stream.sockets import Connection

if TYPE_CHECKING:
    from tests.simulation.stream.replica import Replica
    from tests.simulation.stream.world import World


class Parser:
    """Reads one connection's bytes: chunks if it is chunked, then blocks of the event stream."""

    def __init__(self, chunked: bool) -> None:
        self._chunked = chunked
        self._raw = b""
        self._text = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes, str | None]]:
        """Yield the blocks that are complete: event, data, id."""
        if self._chunked:
            self._raw += data
            self._unchunk()
        else:
            self._text += data
        *whole, self._text = self._text.split(b"\n\n")
        for block in whole:
            if (read := _read_block(block)) is not None:
                yield read

    def _unchunk(self) -> None:
        while (end := self._raw.find(b"\r\n")) >= 0:
            size = int(self._raw[:end], 16)
            if len(self._raw) < end + size + 4:
                return
            if self._raw[end + 2 + size : end + 4 + size] != b"\r\n":
                raise Violation("a chunk does not end where it says")
            self._text += self._raw[end + 2 : end + 2 + size]
            self._raw = self._raw[end + 4 + size :]


def _read_block(block: bytes) -> tuple[str, bytes, str | None] | None:
    name, data, last_id = "message", [], None
    for line in block.split(b"\n"):
        field, _, value = line.partition(b": ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode()
        elif field == b"id":
            last_id = value.decode()
        elif field != b"retry":
            raise Violation(f"a line that is no field of an event stream: {line[:60]!r}")
    return (name, b"\n".join(data), last_id) if data else None


class Viewer:
    """One page, from the moment it is opened. has: the events it has shown, by order and version.

    begin: where its stream's range begins. verified: up to where it was found complete, by partition.
    """

    def __init__(self, world: "World", name: str, is_page: bool) -> None:
        self.world = world
        self.name = name
        self.is_page = is_page
        self.has: set[Key] = set()
        self._highest: dict[int, int] = {}
        self._covered: set[tuple[int, int]] = set()
        self._earlier: set[Key] = set()  # events from before its stream's range, which may come again
        self.connection: Connection | None = None
        self._replica: Replica | None = None
        self._parser = Parser(False)
        self.is_connecting = False
        self.is_page_loaded = not is_page
        self.is_loading = False
        # As in stream.js: the position of the page's script, the URL of its EventSource, and the browser's own id.
        self.position = ""
        self.since_ms = -1  # where it begins, if it begins at a time
        self._url_from = ""
        self._last_event_id = ""
        self._connection_id: Position | None = None
        self._is_greeted = False
        self._is_told_anew = False
        self.topic = ""
        self.begin: Position | None = None
        self.verified: dict[int, int] = {}
        self.excused: set[int] = set()
        # As in history.js.
        self.history_topic = ""
        self.cursor = ""
        self._may_load = False
        self.is_history_complete = not is_page
        self.is_history_loading = False

    # The page

    def open_page(self, status: int, body: bytes) -> None:
        """Take the rendered page: with a position, or without one while the replica starts."""
        self.is_loading = False
        if status != 200:
            return
        self.is_page_loaded = True
        self.position = self.cursor = body.decode()
        self.world.tell(f"{self.name} has the page, rendered at {short(self.position) or 'no position'}")
        if self.position:
            self._begin_at(Position.parse(self.position))
            self._may_load = True
        elif self.world.mutant_page_loads_at_once:
            self._may_load = True

    def _begin_at(self, position: Position) -> None:
        if self.topic != position.topic_id:
            logs = enumerate(self.world.cluster.incarnations[position.topic_id])
            self._earlier = {e.key for p, log in logs for e in log.entries[: position.at(p)] if e.key}
        self.begin, self.topic = position, position.topic_id
        self.history_topic = self.history_topic or position.topic_id
        self.verified = dict(enumerate(position.offsets))

    # History

    @property
    def history_query(self) -> str | None:
        """The query of the next page of history, if one may be loaded now."""
        if self.is_history_complete or self.is_history_loading or not self._may_load:
            return None
        return f"limit={self.world.history_limit}" + (f"&before={quote(self.cursor)}" if self.cursor else "")

    def take_history(self, status: int, body: bytes) -> None:
        """Take a page of history."""
        self.is_history_loading = False
        if status == 400 and self.cursor:
            self.cursor = ""
            self.world.tell(f"{self.name}'s cursor is refused: it begins again with the newest")
            return
        if status in (0, 503):
            why = json.loads(body)["detail"] if body else "connection lost"
            self.world.tell(f"{self.name} gets no history now: {why}")
            return
        if status != 200:
            raise Violation(f"{self.name} asked for history and got {status}: {body[:200].decode()}")
        page = json.loads(body)
        keys = [self.world.key_by_id.get(event["id"]) for event in page["events"]]
        self.has.update(key for key in keys if key)
        self.cursor = page["before"] or ""
        self.is_history_complete = page["before"] is None
        names = ", ".join(map(key_name, keys)) or "nothing"
        rest = "the beginning" if self.is_history_complete else short(self.cursor)
        self.world.tell(f"{self.name} loads history: {names}; then {rest}")

    # The stream

    def connect(self, automatically: bool) -> tuple[str, dict[str, str]]:
        """Return the query and headers of a new connection: EventSource's own, or that of a new EventSource."""
        if not (automatically and (self._url_from or self._last_event_id)):
            self._url_from, self._last_event_id = self.position or self._begin_at_time(), ""
        self.is_connecting = True
        resumed = self._last_event_id or self._url_from
        if ";" in resumed:
            self._excuse_cut_back(Position.parse(resumed))
        query = f"from={quote(self._url_from)}" if self._url_from else ""
        headers = {"HTTP_LAST_EVENT_ID": self._last_event_id} if self._last_event_id else {}
        return query, headers

    def _begin_at_time(self) -> str:
        """Return the time at which the viewer begins, if it does: it is to be sent all that is not older."""
        if self.since_ms < 0:
            return ""
        logs = self.world.cluster.logs
        # Of a log that was cut back, the replica may still have what it was before, and take that for the end.
        self.excused.update(cut.partition for cut in self.world.cuts)
        found = ((log.offset_since(self.since_ms), log.end) for log in logs)
        offsets = tuple(end if offset < 0 else offset for offset, end in found)
        self._begin_at(Position(self.world.cluster.topic_id, offsets))
        return datetime.fromtimestamp(self.since_ms / 1000, UTC).isoformat()

    def _excuse_cut_back(self, resumed: Position) -> None:
        """Expect nothing of a partition that was cut back below the position: nobody can be told.

        A position from before the cut, or of a replica that has yet to find out, looks like any other."""
        for cut in self.world.cuts:
            if cut.topic_id == resumed.topic_id and resumed.at(cut.partition) > cut.end:
                self.excused.add(cut.partition)

    def notice_cut_back(self, partition: int, end: int) -> None:
        """Expect nothing of a partition either while the viewer is ahead of a replica that has read less."""
        ring = self._replica.services.ring if self._replica else None
        if ring is None or not ring.is_open or not self.position:
            return
        if Position.parse(self.position).at(partition) > end >= ring.position.at(partition):
            self.excused.add(partition)

    def connected(self, connection: Connection, replica: "Replica") -> None:
        self.is_connecting = False
        self._replica = replica
        self.connection = connection
        self._parser = Parser(connection.chunked)
        self._connection_id = None
        self._is_greeted = False

    def read(self, size: int) -> int:
        """Read what has arrived, at most `size` bytes, and notice the connection's end; return how much it was."""
        connection = self.connection
        if connection is None:
            return 0
        data = bytes(connection.buffer[:size])
        del connection.buffer[:size]
        for block in self._parser.feed(data):
            self._take(*block)
        if not connection.buffer and (connection.is_closed_by_server or connection.is_reset):
            self.connection = None
            self.world.tell(f"{self.name}'s connection has ended")
        return len(data)

    def _take(self, name: str, data: bytes, last_id: str | None) -> None:
        position = Position.parse(last_id) if last_id else None
        is_greeting = name == "status" and self._connection_id is None
        if name == "message":
            self._take_event(data)
        elif name == "gap":
            assert position is not None
            self._take_gap(json.loads(data), position)
        elif name == "status":
            self.world.tell(f"{self.name} ← status {json.loads(data)['state']} at {short(last_id)}")
            self._is_greeted = True
        elif name == "busy":
            self.world.tell(f"{self.name} ← busy: {json.loads(data)['reason']}")
        if position is not None:
            self._take_id(position, last_id or "", is_greeting)

    def _take_event(self, data: bytes) -> None:
        key = self.world.key_of(data)
        if key is None:
            raise Violation(f"{self.name} was sent what is no event of the topic: {data[:80]!r}")
        order, version = key
        if version > self._highest.get(order, 0):
            self._highest[order] = version
            self.has.add(key)
            self.world.tell_event(self.name, key_name(key))
        else:
            self.world.tell_event(self.name, f"{key_name(key)}(again)")

    def _take_gap(self, gap: dict[str, object], end: Position) -> None:
        lost: dict[str, list[int]] = gap["lost"]  # type: ignore[assignment]  # as docs/delivery.md describes it
        reason, start = gap["reason"], gap["from"]
        self.world.tell(f"{self.name} ← gap {reason} from {short(start)} to {short(str(end))}: lost {lost}")
        self._check_that_kafka_has_lost(reason, lost, end)
        if reason == "recreated" or start is None:
            # Everything before `end` is told as lost; the table's older rows stay as they are.
            self._covered.clear()
            self._highest.clear()
            self._begin_at(end)
            self.excused.clear()
            self.history_topic = "another"
            self._is_told_anew = True
            return
        for partition, (first, past) in lost.items():
            self._covered.update((int(partition), offset) for offset in range(first, past))

    def _check_that_kafka_has_lost(self, reason: object, lost: dict[str, list[int]], end: Position) -> None:
        """What Kafka still has must not be told as expired: it is to be sent, however old it is."""
        if reason != "expired" or end.topic_id != self.world.cluster.topic_id:
            return
        logs = self.world.cluster.logs
        if any(past > logs[int(partition)].first for partition, (_, past) in lost.items()):
            raise Violation(f"{self.name} is told as lost what Kafka has: {lost}")
        if not lost and not any(log.first for log in logs):
            raise Violation(f"{self.name} is told that something is lost, and Kafka has everything")

    def _take_id(self, position: Position, text: str, is_greeting: bool) -> None:
        previous = self._connection_id
        told, self._is_told_anew = self._is_told_anew, False
        if previous is not None and not told:
            if previous.topic_id != position.topic_id:
                raise Violation(f"{self.name}'s stream changed to another topic without a gap")
            if not position.covers(previous):
                raise Violation(
                    f"{self.name}'s position went back within a connection: {short(str(previous))} → {short(text)}"
                )
        self._connection_id = position
        self.position = self._last_event_id = text
        if self.begin is None:
            self._begin_at(position)
            if self.is_page and not self._may_load:
                self._may_load, self.cursor = True, text
        if not is_greeting:  # of one that begins at a time the gap, if there is one, comes with it
            self._verify(position)

    # What it must have

    def _verify(self, position: Position, is_end: bool = False) -> None:
        """Check that everything before a position that it bears is there, or was told as lost.

        A partition that was cut back is checked at the end only: its replica may have yet to find out."""
        cluster = self.world.cluster
        if position.topic_id != cluster.topic_id or position.topic_id != self.topic:
            return
        for partition, log in enumerate(cluster.logs):
            if not is_end and any(cut.partition == partition for cut in self.world.cuts):
                continue
            verified, end = self.verified.get(partition, 0), min(position.at(partition), log.end)
            for offset in range(verified, end):
                if log.entries[offset].key not in self._earlier:
                    self._must_have(log.entries[offset], partition, offset, "its id is past it")
            self.verified[partition] = max(verified, end)

    def _must_have(self, entry: Entry, partition: int, offset: int, why: str) -> None:
        if not entry.is_first or entry.key in self.has or (partition, offset) in self._covered:
            return
        if partition not in self.excused:
            name = key_name(entry.key)
            raise Violation(f"{self.name} lacks {name} at {partition}:{offset} and was told of no gap: {why}")

    @property
    def is_finished(self) -> bool:
        """Whether it has everything that it waits for."""
        cluster = self.world.cluster
        if self.connection is None or not self.is_history_complete or not self._is_greeted:
            return False
        position = self._connection_id
        if position is None or position.topic_id != cluster.topic_id:
            return False
        return all(
            position.at(partition) >= log.end or partition in self.excused
            for partition, log in enumerate(cluster.logs)
        )

    def check_at_the_end(self) -> None:
        """Check that it has everything: its stream's range, and before that whatever Kafka still has."""
        cluster = self.world.cluster
        if self._connection_id is not None:
            self._verify(self._connection_id, is_end=True)
        same = self.history_topic == self.topic == cluster.topic_id
        if not self.is_page or self.begin is None or not same:
            return
        for partition, log in enumerate(cluster.logs):
            for offset in range(log.first, min(self.begin.at(partition), log.end)):
                self._must_have(log.entries[offset], partition, offset, "history is complete")

    def lose_connection(self) -> None:
        """Lose the connection at this end."""
        self.connection = None


def key_name(key: Key | None) -> str:
    """Return an event's name in a story."""
    return f"o{key[0]}v{key[1]}" if key else "an unknown event"


def short(position: object) -> str:
    text = str(position) if position else ""
    topic, _, offsets = text.partition(";")
    return f"{topic[:1]};{offsets}" if offsets else text
