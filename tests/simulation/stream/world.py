"""Everything that a run consists of, the steps that change it, and what must hold on the way and at the end."""

import json
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from flask import Flask

from tests.simulation.runner import Plan, Violation
from tests.simulation.stream.kafka import Cluster, Entry, FakeAdminClient, FakeConsumer, Key
from tests.simulation.stream.replica import STALE_AFTER_S, Replica, create_app
from tests.simulation.stream.scheduler import UNLIMITED, Actor, Scheduler
from tests.simulation.stream.sockets import Connection
from tests.simulation.stream.viewer import Viewer, key_name, short

NEWCOMER_PAUSES = 600
"""How long the fan-out may do other things before it takes a newcomer up."""
SETTLE_ROUNDS = 200
FRUITLESS_ROUNDS = 5
"""For so many rounds of 10 s past events may be read although no viewer gets on."""
SETTLE_S = 1.3
MOST_VIEWERS = 8
THREADS = ("tail", "fanout", "freshness", "replay 1", "replay 2")

ODD: tuple[bytes | None, ...] = (
    None,
    b"",
    b"garbage",
    b"[]",
    b'{"specversion":"1.0"}',
    b'{"specversion":NaN}',
    b'{"a":"\r"}',
    b"\xff\xfe",
    b"x" * 1001,
    b"[" * 900,
)


@cache
def app() -> Flask:
    return create_app()


@dataclass(frozen=True)
class Cut:
    """A log that was cut back to `end`."""

    topic_id: str
    partition: int
    end: int


@dataclass(slots=True)
class Order:
    """An order on the publish side. lost: versions that Kafka lost and that will be published again.

    partition: where its events go. earlier: where they went before there were more partitions."""

    number: int
    partition: int
    version: int = 0
    lost: list[int] | None = None
    earlier: tuple[int, ...] = ()


class World:
    """A run of one plan."""

    mutant_page_loads_at_once = False
    history_limit = 4

    def __init__(self, plan: Plan, tells: bool) -> None:
        self.setup = plan.setup
        self.story: list[str] = []
        self._tells = tells
        self._told: dict[str, int] = {}
        self._is_settling = False
        self.app = app()
        self.scheduler = Scheduler(self._check_newcomers)
        self.cluster = Cluster(self.scheduler, self.setup["partitions"], self.setup["fetch"])
        self.created_at = self.scheduler.now
        self.cuts: list[Cut] = []
        self.orders: list[Order] = []
        self._order_by_number: dict[int, Order] = {}
        self.viewers: list[Viewer] = []
        self.replicas: list[Replica] = []
        self._known: dict[bytes, Key] = {}
        self.key_by_id: dict[str, Key] = {}
        self._hashes = 0

    # What the fakes and the viewers ask

    def tell(self, line: str) -> None:
        """Add a line to the story; what is only repeated while everything settles is left out."""
        if self._tells:
            self._told[line] = self._told.get(line, 0) + 1
            if self._told[line] <= 2 or not self._is_settling:
                self.story.append(line)

    def tell_event(self, who: str, what: str) -> None:
        """Add an event that a viewer has received to the story."""
        if self._tells:
            if self.story and self.story[-1].startswith(f"{who} ← o"):
                self.story[-1] += f" {what}"
            else:
                self.story.append(f"{who} ← {what}")

    def key_of(self, payload: bytes) -> Key | None:
        """Return which event some bytes are."""
        return self._known.get(payload)

    def open_consumer(self) -> FakeConsumer:
        return FakeConsumer(self.cluster)

    def open_admin(self) -> FakeAdminClient:
        return FakeAdminClient(self.cluster)

    def worker_ended(self) -> None:
        """Take note that a background thread has ended; an exception that ended it goes on to the player."""
        actor = self.scheduler.current
        if sys.exc_info()[0] is None and not (actor and actor.is_killed):
            raise Violation("a thread has ended by itself")

    def number_of(self, client: Any) -> int:
        number = client.__dict__.get("simulation_number")
        if number is None:
            self._hashes += 1
            number = client.__dict__["simulation_number"] = self._hashes
        return int(number)

    # Playing

    def play(self, plan: Plan) -> None:
        """Do all steps, end the faults, and let everything settle. Raises Violation."""
        self.replicas = [Replica(self, "ABC"[i], self.setup) for i in range(self.setup["replicas"])]
        for step in plan.steps:
            getattr(self, f"_{step[0]}")(*step[1:])
            self._check()
        self._settle()

    def _turn(self, actor: Actor | None, pauses: int = UNLIMITED) -> bool:
        if actor is None:
            return False
        ran = self.scheduler.turn(actor, pauses)
        if ran and not actor.is_done and pauses != UNLIMITED and actor.ready is None:
            self.tell(f"    {actor.name} stops {actor.where}")
        return ran

    def close(self) -> None:
        for replica in self.replicas:
            replica.kill()

    # Steps: Kafka

    def _produce(self, which: int, count: int) -> None:
        """Publish the next event of some orders, new ones and old ones."""
        for n in range(count):
            number = which + n
            if number % 3 == 0 or not self.orders:
                made = len(self._order_by_number)
                order = self._order_by_number[made] = Order(made, made % len(self.cluster.logs))
                self.orders.append(order)
            else:
                order = self.orders[number % len(self.orders)]
            if order.lost:
                self._publish(order, order.lost.pop(0))
            else:
                order.version += 1
                self._publish(order, order.version)

    def _publish(self, order: Order, version: int, partition: int = -1) -> None:
        """partition: where to, if it is not where the order's events go now."""
        partition = order.partition if partition < 0 else partition
        if partition in self.cluster.leaderless or partition >= len(self.cluster.logs):
            order.lost = sorted({*(order.lost or []), version})
            return
        entry = self._entry(order, version)
        offset = self.cluster.append(partition, entry)
        self.tell(f"Kafka has {key_name(entry.key)} at {partition}:{offset}")

    def _entry(self, order: Order, version: int) -> Entry:
        key = (order.number, version)
        payload = _payload(key, self.setup["padding"], is_indented=order.number % 7 == 6)
        self._known[payload] = key
        self.key_by_id[f"o{key[0]}v{key[1]}"] = key
        now = self.scheduler.now
        return Entry(payload, key, int(now * 1000), now)

    def _repeat(self, which: int) -> None:
        """Publish an earlier event again."""
        if self.orders:
            order = self.orders[which % len(self.orders)]
            version = 1 + which % order.version
            if (order.number, version) in self.cluster.keys[self.cluster.topic_id]:
                places = (order.partition, *order.earlier)  # a publisher that was frozen knows the old number
                self._publish(order, version, places[which % len(places)])

    def _odd(self, partition: int, which: int) -> None:
        """Put something on the topic that is no event."""
        partition %= len(self.cluster.logs)
        value = ODD[which % len(ODD)]
        now = self.scheduler.now
        offset = self.cluster.append(partition, Entry(value, None, int(now * 1000), now))
        self.tell(f"Kafka has an odd message at {partition}:{offset}: {(value or b'')[:20]!r}")

    def _marker(self, partition: int) -> None:
        """Put something on the topic that no reader is given."""
        partition %= len(self.cluster.logs)
        now = self.scheduler.now
        offset = self.cluster.append(partition, Entry(b"", None, int(now * 1000), now, is_visible=False))
        self.tell(f"Kafka has a transaction marker at {partition}:{offset}")

    def _silence(self) -> None:
        """Let the readers that there are receive nothing any more, as librdkafka's did after an outage."""
        for reader in self.cluster.readers:
            reader.is_silent = True
            self.tell("A reader receives nothing any more")

    def _cutback(self, partition: int, count: int, is_lost: bool) -> None:
        """Let a leader lose its tail; what it held is published again, or is lost for good."""
        partition %= len(self.cluster.logs)
        log = self.cluster.logs[partition]
        end = max(log.first, log.end - count)
        lost = self.cluster.cut_back(partition, end)
        if not lost:
            return
        self.cuts.append(Cut(self.cluster.topic_id, partition, end))
        self.tell(f"Kafka's partition {partition} is cut back to {end}")
        for viewer in self.viewers:
            viewer.notice_cut_back(partition, end)
        for entry in lost:
            if entry.key and not is_lost and entry.is_first:
                order = self._order_by_number[entry.key[0]]
                order.lost = sorted({*(order.lost or []), entry.key[1]})

    def _republish(self, count: int) -> None:
        """Publish again what Kafka has lost."""
        for order in self.orders:
            while order.lost and count and order.partition not in self.cluster.leaderless:
                self._publish(order, order.lost.pop(0))
                count -= 1

    def _retention(self, partition: int, count: int) -> None:
        """Let retention delete the oldest messages."""
        partition %= len(self.cluster.logs)
        log = self.cluster.logs[partition]
        log.first = min(log.end, log.first + count)
        self.tell(f"Retention has deleted all before {partition}:{log.first}")

    def _grow(self) -> None:
        """Add a partition. Where orders move, some go to other partitions from here on, the new one among them, and a
        signpost in each says how far the old ones are to be read first. Each is changed just before and just after."""
        logs = self.cluster.logs
        if len(logs) >= 4:
            return
        if not self.setup["moves"]:
            logs.append(type(logs[0])())
            self.tell(f"The topic has {len(logs)} partitions now")
            return
        if self.cluster.is_down or any(order.lost for order in self.orders):
            return
        self._change_all()
        ends = [log.end for log in logs]
        logs.append(type(logs[0])())
        self.tell(f"The topic has {len(logs)} partitions now; before, they end at {ends}")
        payload = json.dumps({"type": "topic.grown", "data": {"ends": ends}}).encode()
        now = self.scheduler.now
        for partition in range(len(logs)):
            self.cluster.append(partition, Entry(payload, None, int(now * 1000), now))
        for order in self.orders:
            moved = order.number % len(logs)
            if moved != order.partition:
                order.partition, order.earlier = moved, (*order.earlier, order.partition)
        self._change_all()

    def _change_all(self) -> None:
        for order in self.orders:
            order.version += 1
            self._publish(order, order.version)

    def _recreate(self, partitions: int, count: int) -> None:
        """Delete the topic and create it anew, with some new orders."""
        if len(self.cluster.incarnations) > 3:
            return
        self.cluster.create(partitions)
        self.created_at = self.scheduler.now
        self.orders = []
        self.tell(f"The topic is created anew, with {partitions} partitions")
        self._produce(0, count)

    def _kafka(self, is_down: bool) -> None:
        if self.cluster.is_down != is_down:
            self.cluster.is_down = is_down
            self.tell(f"Kafka is {'away' if is_down else 'back'}")

    def _leader(self, partition: int, how: str) -> None:
        """Let a partition's leader vanish (how it is told: an error, or -1001), or come back."""
        partition %= len(self.cluster.logs)
        if how:
            self.cluster.leaderless[partition] = how
            self.tell(f"Partition {partition} has no leader (list_offsets: {how})")
        elif self.cluster.leaderless.pop(partition, None):
            self.tell(f"Partition {partition} has a leader again")

    def _lag(self, replica: int, partition: int, is_lagging: bool) -> None:
        """Let a replica's tail get nothing of a partition for a while."""
        name = "ABC"[replica % len(self.replicas)]
        key = (name, partition % len(self.cluster.logs))
        if is_lagging and key not in self.cluster.lagging:
            self.cluster.lagging.add(key)
            self.tell(f"{name} gets nothing of partition {key[1]} for a while")
        elif not is_lagging and key in self.cluster.lagging:
            self.cluster.lagging.remove(key)
            self.tell(f"{name} gets partition {key[1]} again")

    # Steps: time and threads

    def _clock(self, seconds: float) -> None:
        self.scheduler.now += seconds
        self.tell(f"{seconds} s pass")

    def _run(self, replica: int, kind: str, pauses: int) -> None:
        chosen = self.replicas[replica % len(self.replicas)]
        position = str(chosen.services.ring._position)
        actor = chosen.actor(kind)
        if self._turn(actor, pauses) and self._tells:
            after = str(chosen.services.ring._position)
            where = f": the ring is at {short(after)}" if after != position else ""
            self.tell(f"{actor.name if actor else ''} runs{where}")

    def _sync(self, replica: int) -> None:
        """Let a replica find out about its topic, and read what there is."""
        for seconds, kind in ((2.1, "freshness"), (0.2, "tail"), (1.1, "tail")):
            self.scheduler.now += seconds
            self._run(replica, kind, UNLIMITED)

    def _requests(self, which: int, pauses: int) -> None:
        """Let one of the requests that are on their way go on."""
        names = {f"{replica.name}'s {kind}" for replica in self.replicas for kind in (*THREADS, "generators")}
        waiting = [actor for actor in self.scheduler.actors if actor.name not in names]
        if waiting:
            self._turn(waiting[which % len(waiting)], pauses)

    def _race(self, replica: int, first: str, second: str, rounds: int, pauses: int, flood: bool) -> None:
        """Let two threads take turns; in a flood there is always something to read, and viewers come."""
        chosen = self.replicas[replica % len(self.replicas)]
        self.tell(f"{chosen.name}'s {first} and {second} take turns, {rounds} times {pauses} pauses")
        tells, self._tells = self._tells, False
        self.cluster.flood = (lambda: self._produce(rounds, 1)) if flood else None
        for round_ in range(rounds):
            if flood and round_ in (rounds // 4, rounds // 2):
                self._curl(replica, 100_000, True, UNLIMITED)
            ran = self._turn(chosen.actor(first), 4 * pauses if flood else pauses)
            ran |= self._turn(chosen.actor(second), pauses)
            if not ran:
                break
        self.cluster.flood = None
        self._tells = tells

    def _join(self, replica: int, pauses: int) -> None:
        """Let a viewer join a live one past what is not shown, and the ring move on while a status falls due."""
        self._curl(replica, 100_000, True, UNLIMITED)
        self._run(replica, "fanout", UNLIMITED)
        self._odd(replica, 2)
        self._run(replica, "tail", UNLIMITED)
        self._curl(replica, 100_000, True, UNLIMITED)
        self._run(replica, "fanout", UNLIMITED)
        self._produce(1, min(self.setup["ring_events"], 12) + 2)
        self._clock(11.0)
        self._run(replica, "fanout", pauses)
        self._run(replica, "tail", UNLIMITED)
        self._run(replica, "fanout", UNLIMITED)

    def _restart(self, replica: int) -> None:
        """Kill a replica; a new process takes its place."""
        index = replica % len(self.replicas)
        self.replicas[index].kill()
        self.tell(f"{self.replicas[index].name} is killed and started anew")
        self.replicas[index] = Replica(self, "ABC"[index], self.setup)

    # Steps: viewers

    def _page(self, replica: int, pauses: int) -> None:
        """Open a page."""
        if len(self.viewers) < MOST_VIEWERS:
            self.viewers.append(Viewer(self, f"viewer {len(self.viewers) + 1}", is_page=True))
            self._load_page(self.viewers[-1], replica, pauses)

    def _load_page(self, viewer: Viewer, replica: int, pauses: int) -> None:
        viewer.is_loading = True
        chosen = self.replicas[replica % len(self.replicas)]
        self.tell(f"{viewer.name} opens the page at {chosen.name}")
        self._turn(chosen.request(f"{viewer.name}'s page", "/", "", viewer.open_page), pauses)

    def _curl(self, replica: int, room: int, hijack: bool, pauses: int) -> None:
        """Open a stream without a page."""
        if len(self.viewers) < MOST_VIEWERS:
            self.viewers.append(Viewer(self, f"viewer {len(self.viewers) + 1}", is_page=False))
            self._connect(len(self.viewers) - 1, replica, False, room, hijack, pauses)

    def _since(self, replica: int, ago: float, pauses: int) -> None:
        """Open a stream without a page that begins at a time in the past."""
        if len(self.viewers) < MOST_VIEWERS:
            viewer = Viewer(self, f"viewer {len(self.viewers) + 1}", is_page=False)
            viewer.since_ms = int((self.scheduler.now - ago) * 1000)
            self.viewers.append(viewer)
            self._connect(len(self.viewers) - 1, replica, False, 100_000, True, pauses)

    def _viewer(self, which: int) -> Viewer | None:
        return self.viewers[which % len(self.viewers)] if self.viewers else None

    def _connect(
        self, which: int, replica: int, automatically: bool, room: int, hijack: bool, pauses: int
    ) -> None:
        """Open a viewer's stream, if it has none."""
        viewer = self._viewer(which)
        if viewer is None or viewer.connection or viewer.is_connecting or not viewer.is_page_loaded:
            return
        chosen = self.replicas[replica % len(self.replicas)]
        query, headers = viewer.connect(automatically)
        connection = Connection(room, chunked=hijack and room % 2 == 1)
        connection.is_admitted = not hijack
        chosen.connections.append(connection)

        def answered(status: int, _body: bytes) -> None:
            if status not in (0, 200):
                raise Violation(f"/stream answered {status}")

        name = f"{viewer.name}'s stream"
        told = "; ".join([unquote(query), *headers.values()]).replace(
            self.cluster.topic_id, self.cluster.topic_id[0]
        )
        self.tell(f"{viewer.name} opens a stream at {chosen.name} ({told or 'live'})")
        viewer.connected(connection, chosen)
        self._turn(chosen.request(name, "/stream", query, answered, headers, connection, hijack), pauses)

    def _history(self, which: int, replica: int, pauses: int) -> None:
        """Load a page of history."""
        viewer = self._viewer(which)
        if viewer is None or (query := viewer.history_query) is None:
            return
        chosen = self.replicas[replica % len(self.replicas)]
        viewer.is_history_loading = True
        before = f" before {short(viewer.cursor)}" if viewer.cursor else ""
        self.tell(f"{viewer.name} asks {chosen.name} for history{before}")
        self._excuse_lost_log(viewer, chosen)
        self._turn(chosen.request(f"{viewer.name}'s history", "/events", query, viewer.take_history), pauses)

    def _excuse_lost_log(self, viewer: Viewer, replica: Replica) -> None:
        """Expect nothing of a partition whose log was cut back while the replica still shows what it was before."""
        ring = replica.services.ring
        if not self.cuts or not ring.is_open or ring.position.topic_id != self.cluster.topic_id:
            return
        for batch in ring._batches:  # not by view(): whoever holds the lock may be stopped
            for event in batch.events:
                entries = self.cluster.logs[event.partition].entries
                if event.offset >= len(entries) or entries[event.offset].key != self.key_of(event.payload):
                    viewer.excused.add(event.partition)

    def _read(self, which: int, size: int) -> None:
        viewer = self._viewer(which)
        if viewer is not None:
            viewer.read(size)

    def _cut(self, which: int, how: str) -> None:
        """End a viewer's connection from its side."""
        viewer = self._viewer(which)
        if viewer is None or viewer.connection is None:
            return
        self.tell(f"{viewer.name}'s connection: {how}")
        if how == "half-close":
            viewer.connection.is_half_closed = True
        else:
            viewer.connection.is_reset = True
            viewer.lose_connection()

    # What must hold

    def _check_newcomers(self, actor: Actor) -> None:
        """Check at every pause of a fan-out that it does not forget who is waiting."""
        if not actor.name.endswith("fanout"):
            return
        for replica in self.replicas:
            if actor in replica.actors:
                for connection in replica.connections:
                    if connection.total and not connection.is_admitted and not connection.is_closed_by_server:
                        connection.waited += 1
                        if connection.waited > NEWCOMER_PAUSES:
                            raise Violation("a newcomer waits while others are served")

    def _check(self) -> None:
        for replica in self.replicas:
            self._check_memory(replica)
            self._check_state(replica)

    def _check_memory(self, replica: Replica) -> None:
        ring = replica.services.ring
        lock: Any = ring._changed
        is_over = ring._events > self.setup["ring_events"] or ring._bytes > self.setup["ring_bytes"]
        if is_over and not lock.is_held:
            raise Violation(f"{replica.name}'s ring holds {ring._events} events, {ring._bytes} bytes")
        replay = replica.services.replay
        kept: Any = replay._changed
        if replay._bytes > self.setup["replay_bytes"] and not kept.is_held:
            raise Violation(f"{replica.name} keeps {replay._bytes} bytes of what it has replayed")
        sockets = replica.services.sockets
        assert sockets is not None
        bound = max(self.setup["buffer_bytes"], 2000) + 5 * 1400 + 1000
        for client in [client for group in sockets._groups for client in group]:
            if len(client._rest) > bound:
                raise Violation(f"{replica.name} keeps {len(client._rest)} bytes for one viewer")

    def _check_state(self, replica: Replica) -> None:
        """Check that a replica that calls itself up to date has lately been it."""
        services = replica.services
        if not services.ring.is_open or not services.monitor.is_fresh:
            return
        position, since = services.ring.position, self.scheduler.now - STALE_AFTER_S
        if min(position.offsets) < 0:
            raise Violation(f"{replica.name} stands at {short(position)}")
        if position.topic_id != self.cluster.topic_id:
            is_true = self.created_at > since
        else:
            cut_back = {cut.partition for cut in self.cuts}  # read again, from further back
            unread = (
                log.entries[max(0, position.at(p))]
                for p, log in enumerate(self.cluster.logs)
                if position.at(p) < log.end and p not in cut_back
            )
            is_true = all(entry.at > since for entry in unread)
        if not is_true:
            raise Violation(
                f"{replica.name} calls itself live, and lacks what is older than {STALE_AFTER_S} s"
            )

    # The end

    def _settle(self) -> None:
        """End all faults and let every viewer get what it lacks. Raises Violation when one never does."""
        self.tell("— all faults end —")
        self._is_settling = True
        self.history_limit = 100
        self._kafka(False)
        self.cluster.leaderless.clear()
        self.cluster.lagging.clear()
        self._republish(1000)
        fruitless = 0
        for round_ in range(SETTLE_ROUNDS):
            before = self._progress()
            self._run_all()
            self._serve_viewers(round_)
            self._run_all()
            for _ in range(500):
                if not sum(viewer.read(1 << 20) for viewer in self.viewers) and not self._is_replaying():
                    fruitless = 0
                    break
                self.scheduler.now += 0.02
                self._run_all()
            else:
                fruitless = fruitless + 1 if self._progress() == before else 0
            self._check()
            if fruitless == FRUITLESS_ROUNDS:
                raise Violation(f"past events are read on and on: {self._who_waits()}")
            if self._is_settled():
                break
            self.scheduler.now += SETTLE_S
        else:
            raise Violation(self._who_waits())
        for viewer in self.viewers:
            viewer.check_at_the_end()

    def _progress(self) -> list[tuple[str, int]]:
        return [(viewer.position, sum(viewer.verified.values())) for viewer in self.viewers]

    def _is_replaying(self) -> bool:
        replays = (replica.services.replay for replica in self.replicas)
        return any(replay._line or replay._reading for replay in replays)

    def _run_all(self) -> None:
        for _ in range(200):
            ran = [self.scheduler.turn(actor) for actor in list(self.scheduler.actors)]
            if not any(ran):
                return
            self.scheduler.now += 0.001

    def _serve_viewers(self, round_: int) -> None:
        for index, viewer in enumerate(self.viewers):
            viewer.read(1 << 20)
            if not viewer.is_page_loaded and not viewer.is_loading:
                self._load_page(viewer, round_, UNLIMITED)
            self._connect(index, index + round_, round_ % 2 == 0, 100_000, True, UNLIMITED)
            self._history(index, index + round_, UNLIMITED)

    def _is_settled(self) -> bool:
        return all(viewer.is_finished for viewer in self.viewers) and all(map(self._is_read, self.replicas))

    def _is_read(self, replica: Replica) -> bool:
        ring = replica.services.ring
        if not ring.is_open or ring.position.topic_id != self.cluster.topic_id:
            return False
        if not self.cluster.is_read_by(replica.name):
            return False
        return all(ring.position.at(p) >= log.end for p, log in enumerate(self.cluster.logs))

    def _who_waits(self) -> str:
        for replica in self.replicas:
            if not self._is_read(replica):
                return f"{replica.name} never reads to the end: it is at {replica.services.ring._position}"
        viewer = next(viewer for viewer in self.viewers if not viewer.is_finished)
        what = "history" if not viewer.is_history_complete else "stream"
        return f"{viewer.name} never gets to the end of its {what}"


@cache
def _payload(key: Key, padding: int, is_indented: bool) -> bytes:
    order, version = key
    event = {
        "specversion": "1.0",
        "id": f"o{order}v{version}",
        "type": "order.placed",
        "subject": f"o{order}",
        "data": {"version": version, "text": "x" * padding},
    }
    return json.dumps(event, indent=1 if is_indented else None).encode()
