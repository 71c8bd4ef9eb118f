"""Group commit: the orders of concurrent requests are stored with one statement and one commit.

A commit costs the database a write to its disk, and a statement costs both sides a round trip, however little it
stores. So the first request that comes stores its own orders at once, and what arrives meanwhile waits and is the
next group, stored by one of the requests that wait. There is no timer: a single request is alone in its group and
waits for nobody, and under load the groups grow by themselves (PostgreSQL's own commit_delay is the same idea with a
timer; DeWitt et al., "Implementation techniques for main memory database systems", 1984, has the name).

No thread is added: whoever comes first leads, does what is there, and hands the lead on. Each request is answered after
the commit that stored its own orders. How a request waits is given from outside (`Waits`): by default it blocks its
thread, and on an event loop it lets the others run.

One statement means that all of a group is stored or none of it. The rows were validated, so the database can refuse one
only for what nobody foresaw; then each placement is stored by itself, and the error reaches the one it belongs to.

The plain way, one transaction for each request with the same effects, is `max_rows=0`: every placement is its own
group.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from producer.domain.database import CommitUnknown, create_engine
from producer.domain.models import Placement
from producer.domain.store_statement import EXECUTE, PREPARE, parameters_of
from producer.domain.stored_response import KeyedResponse

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ROWS = 2000
INVALID_SQL_STATEMENT_NAME = "26000"


class KeyInUse(Exception):
    """The key's response is stored already, or another request with the key is running; nothing was stored.

    is_running: which of the two.
    """

    def __init__(self, is_running: bool):
        super().__init__(is_running)
        self.is_running = is_running


class NotTaken(Exception):
    """The orders before this one took too long to store; nothing of this one was stored."""

    def __init__(self) -> None:
        super().__init__("The orders before this one took too long to store.")


class Event(Protocol):
    """The part of threading.Event that is used here. Any thread may set it."""

    def set(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Waits(Protocol):
    """How the current request waits."""

    def event(self) -> Event:
        """Return an event that this request can wait for."""

    def run(self, blocking: Callable[[], T]) -> T:
        """Return what `blocking` returns, or raise what it raises; it may take long."""

    def let_ready_ones_go_first(self) -> None:
        """Let requests that have arrived join the queue before the group is taken. Takes some ms at most."""


class BlockingWaits:
    """A request has a thread of its own, which may block."""

    def event(self) -> Event:
        """Return an event that blocks its thread."""
        return threading.Event()

    def run(self, blocking: Callable[[], T]) -> T:
        """Call it."""
        return blocking()

    def let_ready_ones_go_first(self) -> None:
        """Do nothing: other threads run anyway."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A placement in the queue. turn: set when its group has been stored, or when it is to lead one."""

    placement: Placement
    response: KeyedResponse | None
    after_commit: Callable[[], None]
    turn: Event
    is_settled: bool = False
    error: Exception | None = None

    def settle(self, error: Exception | None) -> None:
        self.is_settled, self.error = True, error


def create_intake_engine(url: sa.URL, timeout_s: float) -> sa.Engine:
    """Return the engine of a GroupCommit: one connection, on which a statement is its own commit."""
    engine = create_engine(url, 1, timeout_s, isolation_level="AUTOCOMMIT")
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "handle_error", _drop_unprepared_connections)
    return engine


class GroupCommit:
    """Stores placements, those of concurrent requests together.

    engine: from `create_intake_engine`. wait_s: how long a placement waits for its group to begin.
    waits: how requests wait; to be set before the first one.
    """

    def __init__(self, engine: sa.Engine, wait_s: float, max_rows: int = MAX_ROWS):
        self._engine, self._wait_s, self._max_rows = engine, wait_s, max_rows
        self.waits: Waits = BlockingWaits()
        self._lock = threading.Lock()
        self._queue: list[_Waiting] = []
        self._is_led = False
        self._running_keys: set[str] = set()

    def store(
        self, placement: Placement, response: KeyedResponse | None, after_commit: Callable[[], None]
    ) -> None:
        """Store orders with their outbox rows and, if given, the response to repeat; return after the commit.

        after_commit: called once they are stored, by the request that led the group; it must not wait.

        Raises KeyInUse, NotTaken and SQLAlchemyError when nothing was stored, and CommitUnknown when the connection was
        lost and nobody knows.
        """
        waiting = _Waiting(placement, response, after_commit, self.waits.event())
        with self._lock:
            if response is not None:
                if response.key in self._running_keys:
                    raise KeyInUse(is_running=True)
                self._running_keys.add(response.key)
            self._queue.append(waiting)
            leads = not self._is_led
            self._is_led = True
        try:
            if not leads:
                try:
                    self._await_turn(waiting)
                except BaseException:
                    self._leave(waiting)
                    raise
            if not waiting.is_settled:
                self._lead(waiting)
        finally:
            if response is not None:
                with self._lock:
                    self._running_keys.discard(response.key)
        if waiting.error is not None:
            raise waiting.error

    def close(self) -> None:
        """Close the connection to the database."""
        self._engine.dispose()

    def _await_turn(self, waiting: _Waiting) -> None:
        if waiting.turn.wait(self._wait_s):
            return
        with self._lock:
            if waiting in self._queue and not waiting.turn.is_set():
                self._queue.remove(waiting)
                raise NotTaken
        waiting.turn.wait()  # its group is being stored, which has an end of its own

    def _lead(self, own: _Waiting) -> None:
        """Store the first group of the queue, this thread's `own` placement among it, and hand on the lead.

        The next group is led on before this one's requests are answered, so that the database has work meanwhile.
        Whatever ends this thread: nobody in its group waits on, and somebody else leads.
        """
        group = [own]
        try:
            self.waits.let_ready_ones_go_first()
            with self._lock:
                group = self._take()
            self._store_group(group)
        except BaseException as error:
            unknown = CommitUnknown("The request that led the group has ended.")
            unknown.__cause__ = error
            _settle([waiting for waiting in group if not waiting.is_settled], unknown)
            raise
        finally:
            with self._lock:
                if own in self._queue:
                    self._queue.remove(own)
                self._hand_on()
            for waiting in group:
                waiting.turn.set()

    def _leave(self, waiting: _Waiting) -> None:
        """Take out a placement whose thread has ended while it waited; if it was to lead, somebody else does."""
        with self._lock:
            if waiting in self._queue:
                self._queue.remove(waiting)
                if waiting.turn.is_set():
                    self._hand_on()

    def _hand_on(self) -> None:
        """Hand on the lead. The lock is held."""
        if self._queue:
            self._queue[0].turn.set()
        else:
            self._is_led = False

    def _take(self) -> list[_Waiting]:
        rows, count = 0, 0
        for waiting in self._queue:
            rows += len(waiting.placement.orders)
            if count and rows > self._max_rows:
                break
            count += 1
        group, self._queue = self._queue[:count], self._queue[count:]
        return group

    def _store_group(self, group: list[_Waiting]) -> None:
        try:
            in_use = self.waits.run(lambda: self._execute(group))
        except CommitUnknown as error:
            _settle(group, error)
        except Exception as error:  # noqa: BLE001 - it is raised in the request that it belongs to
            if len(group) == 1 or not _is_about_a_row(error):
                _settle(group, error)
                return
            logger.warning(
                "A group of %d requests is stored one by one: %s", len(group), str(error).partition("\n")[0]
            )
            self._store_one_by_one(group)
        else:
            for number, waiting in enumerate(group):
                if number not in in_use:
                    _call(waiting.after_commit)
            for number, waiting in enumerate(group):
                waiting.settle(KeyInUse(in_use[number]) if number in in_use else None)

    def _store_one_by_one(self, group: list[_Waiting]) -> None:
        """Store each placement by itself. When the database fails, the rest would only wait for the same, in turn."""
        for number, waiting in enumerate(group):
            self._store_group([waiting])
            error = waiting.error
            if error is not None and not _is_about_a_row(error):
                _settle(group[number + 1 :], NotTaken())
                return

    def _execute(self, group: list[_Waiting]) -> dict[int, bool]:
        """Run the statement; return the placements that were not stored for their key, and whether it is running.

        Raises CommitUnknown unless it is sure that nothing was stored.
        """
        try:
            with self._engine.connect() as connection:
                for waiting in group:
                    waiting.placement.hash_keys()
                parameters = parameters_of([(waiting.placement, waiting.response) for waiting in group])
                sent_at = time.monotonic()
                try:
                    rows = connection.exec_driver_sql(EXECUTE, parameters).all()
                except DBAPIError as error:
                    if error.connection_invalidated and not _was_refused(error):
                        logger.warning(
                            "The connection was lost %.1f s after a group was sent",
                            time.monotonic() - sent_at,
                        )
                        raise CommitUnknown from error
                    raise
        except (SQLAlchemyError, ValueError, TypeError, CommitUnknown):
            raise
        except Exception as error:  # such as MemoryError, before or after the commit
            raise CommitUnknown from error
        *in_use, (_, _, partitions) = rows
        for waiting in group:
            waiting.placement.judge(partitions)
        return {number: not locked for number, locked, _ in in_use}


def _prepare(connection: Any, record: Any) -> None:
    """Prepare the statement with each new connection: planning it takes longer than running it."""
    with connection.cursor() as cursor:
        cursor.execute(PREPARE)
    connection.commit()


def _drop_unprepared_connections(context: ExceptionContext) -> None:
    """Treat a lost statement as a lost connection, such as after DISCARD ALL: the next one prepares it again."""
    if getattr(context.original_exception, "pgcode", None) == INVALID_SQL_STATEMENT_NAME:
        context.is_disconnect = True


def _is_about_a_row(error: Exception) -> bool:
    """Return whether the statement may succeed without one of its rows."""
    if isinstance(error, SQLAlchemyError):
        return isinstance(error, IntegrityError | DataError)
    return not isinstance(error, CommitUnknown)


def _was_refused(error: DBAPIError) -> bool:
    """Return whether the server said that it stored nothing; a FATAL or PANIC may also come after the commit."""
    diagnostics = getattr(error.orig, "diag", None)
    return diagnostics is not None and diagnostics.severity_nonlocalized == "ERROR"


def _call(after_commit: Callable[[], None]) -> None:
    """The orders are stored, whatever happens here: an error is no request's."""
    try:
        after_commit()
    except Exception:
        logger.exception("What was to be done after a commit failed; the relay will publish the events")


def _settle(group: list[_Waiting], error: Exception) -> None:
    for waiting in group:
        waiting.settle(error)
