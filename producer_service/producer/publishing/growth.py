"""Gives the topic more partitions in place, and no order is ever out of order (docs/adr/0018-more-partitions.md).

An order's events stay in sequence because they are in one partition. With another number of partitions its next event
may go to another one, and whoever reads that one first would see it too early. So:

1. Only the relay publishes, by the present number, until all that others had on their way has been read back, and
   Debezium has passed it in PostgreSQL's log.
2. The partitions are added. Nobody uses them; readers find them and begin to read.
3. Nobody publishes, until what the relay had on its way has been read back as well. Orders wait in the outbox.
4. A signpost is written to every partition: how far the partitions go that were used so far. A reader goes past a
   signpost only when it has read all of that.
5. The number is changed, and publishing goes on.

Orders are taken all the while. Whatever becomes of this process, publishing goes on by itself; then the number is
either the old one or the new one, and the command can be repeated.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from producer.publishing.layout_change import STOPPED_S

# Each partition is a number in every viewer's position, and files on every broker.
MOST_PARTITIONS = 100
# What waits must be read back within the bounds below.
MOST_WAITING = 10_000
POLL_S = 0.05
KEEP_EVERY_S = 1.0
# A transaction ends within three of the producer's database timeouts, a publish within its grace.
TRANSACTIONS_S = 20.0
READ_BACK_S = 60.0
ADDED_S = 30.0
# What readers take to notice partitions, and Kafka's clients (topic.metadata.refresh.interval.ms), and a bit.
NOTICE_S = 6.0
# A relay that was frozen keeps its lease for 10 s. Then there must be time for the rest.
STOPPED_READ_BACK_S = STOPPED_S - 8.0


class GrowthRefused(Exception):
    """The topic cannot be grown now, or not to that number."""


class Change(Protocol):
    """The part of LayoutChange that is used here."""

    def take_turn(self) -> bool: ...
    def partitions(self) -> int: ...
    def relay_only(self, partitions: int) -> None: ...
    def keep(self) -> None: ...
    def stop(self) -> None: ...
    def switch(self, partitions: int) -> None: ...
    def release(self) -> None: ...
    def readers(self) -> set[str]: ...
    def on_their_way(self, limit: int) -> list[str]: ...
    def are_read_back(self, ids: list[str]) -> bool: ...
    def log_end(self) -> str: ...
    def is_captured(self, log_end: str) -> bool: ...
    def has_claimed(self) -> bool: ...


class GrowingTopic(Protocol):
    """The topic, as far as it is needed here. Every method raises KafkaException."""

    def partitions(self) -> int: ...
    def not_ready(self) -> list[int]: ...
    def add(self, partitions: int) -> None: ...
    def ends(self, partitions: int) -> list[int]: ...
    def put_signposts(self, partitions: int, ends: list[int]) -> None: ...


class Growth:
    """One run. say: told what happens, a line at a time. wait: waits so many seconds."""

    def __init__(
        self,
        change: Change,
        topic: GrowingTopic,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ):
        self._change, self._topic, self._say = change, topic, say
        self._clock, self._wait = clock, wait or threading.Event().wait
        self._kept_at = float("-inf")
        self._is_stopped = False

    def grow(self, wanted: int) -> None:
        """Give the topic so many partitions. Raises GrowthRefused, HoldEnded, KafkaException, SQLAlchemyError."""
        if not self._change.take_turn():
            raise GrowthRefused("Another command is giving the topic more partitions.")
        there = self._topic.partitions()
        used = self._change.partitions() or there
        if wanted == there == used:
            self._say(f"The topic has {there} partitions already.")
            return
        self._require_possible(wanted, max(there, used))
        if there < used:
            self._topic.add(used)
            self._say(f"The topic was created again with {there} partitions; it has {used} as before.")
            there = used
        try:
            self._relay_only(used)
            self._add(wanted, there)
            self._switch(wanted, there)
        finally:
            self._change.release()

    def _require_possible(self, wanted: int, there: int) -> None:
        if wanted < there:
            raise GrowthRefused(
                f"The topic has {there} partitions, and Kafka takes none away: {wanted} are fewer."
            )
        if wanted > MOST_PARTITIONS:
            raise GrowthRefused(
                f"{wanted} partitions are more than {MOST_PARTITIONS}, the most that are sensible here."
            )
        self._require_ready()
        self._on_their_way()

    def _on_their_way(self) -> list[str]:
        """Return all events that may be on their way."""
        waiting = self._change.on_their_way(MOST_WAITING + 1)
        if len(waiting) > MOST_WAITING:
            raise GrowthRefused(
                f"More than {MOST_WAITING} events wait in the outbox. Repeat this when the relay has caught up."
            )
        return waiting

    def _require_ready(self) -> None:
        if stuck := self._topic.not_ready():
            raise GrowthRefused(
                f"Partitions {stuck} have no leader or too few replicas in sync: all brokers must be well for this."
            )

    def _relay_only(self, used: int) -> None:
        """Leave the publishing to the relay, and wait for what others had on their way."""
        began_at = self._clock()
        self._change.relay_only(used)
        self._await_readers()
        waiting, log_end = self._on_their_way(), self._change.log_end()
        self._await(
            lambda: self._change.are_read_back(waiting),
            READ_BACK_S,
            "What was on its way has not been read back: does a relay run (./start_project.sh status)?",
        )
        # Rows from before the first growth name no partition: also as repeats, they must not be the first ones in a new
        # partition, where readers expect a signpost before all else.
        self._await(
            lambda: self._change.is_captured(log_end),
            READ_BACK_S,
            "Debezium has not read the outbox's log up to here: is Kafka Connect well (./start_project.sh status)? "
            "It is not waited for after a start with PUBLISHER=direct.",
        )
        self._say(f"The relay publishes now; what was on its way is read back ({self._since(began_at)}).")

    def _add(self, wanted: int, there: int) -> None:
        """Add the partitions, which nobody uses yet, and let everybody notice."""
        if there < wanted:
            self._topic.add(wanted)
        self._await(
            lambda: self._topic.partitions() == wanted and not self._topic.not_ready(),
            ADDED_S,
            "The new partitions have not become ready.",
        )
        noticed_at = self._clock() + NOTICE_S
        self._await(lambda: self._clock() >= noticed_at, 2 * NOTICE_S, "This machine's clock stands still.")
        self._say(f"The topic has {wanted} partitions; everybody has had {NOTICE_S:g} s to notice.")

    def _switch(self, wanted: int, there: int) -> None:
        """Stop publishing, wait for what the relay had on its way, and go on by the new number.

        there: how many partitions may have events. More than are used, when PostgreSQL was restored to before a growth.
        """
        self._change.keep()
        stopped_at = self._clock()
        self._change.stop()
        self._is_stopped = True
        self._await_readers()
        self._await(
            lambda: not self._change.has_claimed(),
            STOPPED_READ_BACK_S,
            "What the relay had on its way has not been read back.",
        )
        self._topic.put_signposts(wanted, self._topic.ends(there))
        self._change.switch(wanted)
        self._say(
            f"Publishing paused {self._since(stopped_at)}. Events are published by {wanted} partitions now."
        )

    def _await_readers(self) -> None:
        """Wait for the transactions that may have seen the layout of before."""
        before = self._change.readers()
        self._await(
            lambda: not before & self._change.readers(),
            STOPPED_READ_BACK_S if self._is_stopped else TRANSACTIONS_S,
            "A transaction has not ended in which the layout was read (pg_stat_activity shows it).",
        )

    def _await(self, is_so: Callable[[], bool], within_s: float, otherwise: str) -> None:
        """Wait until it is so, and keep the hold. Raises GrowthRefused after `within_s`."""
        end = self._clock() + within_s
        while not is_so():
            if self._clock() >= end:
                raise GrowthRefused(f"{otherwise} Nothing was changed for the events; repeat this later.")
            if not self._is_stopped and self._clock() - self._kept_at >= KEEP_EVERY_S:
                self._change.keep()
                self._kept_at = self._clock()
            self._wait(POLL_S)

    def _since(self, moment: float) -> str:
        return f"{self._clock() - moment:.1f} s"
