"""Group commit: the orders of concurrent requests are stored with one statement and one commit.

A commit costs the database a write to its disk, and a statement costs both sides a round trip, however little it
stores. So the first request that comes stores its own orders at once, and what arrives meanwhile waits and is the
next group, stored by one of the requests that wait. There is no timer: a single request is alone in its group and
waits for nobody, and under load the groups grow by themselves (PostgreSQL's own commit_delay is the same idea with a
timer; DeWitt et al., "Implementation techniques for main memory database systems", 1984, has the name).

No thread is added: whoever comes first leads, does what is there, and hands the lead on. Each request is answered after
the commit that stored its own orders.

One statement means that all of a group is stored or none of it. The rows were validated, so the database can refuse one
only for what nobody foresaw; then each placement is stored by itself, and the error reaches the one it belongs to.

The plain way, one transaction for each request with the same effects, is `max_rows=0`: every placement is its own
group.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from producer.domain.database import CommitUnknown
from producer.domain.models import Order, Placement

logger = logging.getLogger(__name__)

MAX_ROWS = 2000


@dataclass(frozen=True)
class KeyedResponse:
    """What is stored for an Idempotency-Key together with the orders. See StoredResponse."""

    key: str
    fingerprint: bytes
    status: int
    location: str | None
    body: bytes
    expires_at: datetime


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


@dataclass(eq=False)
class _Waiting:
    """A placement in the queue. turn: set when its group has been stored, or when it is to lead one."""

    placement: Placement
    response: KeyedResponse | None
    after_commit: Callable[[], None]
    turn: threading.Event = field(default_factory=lambda: threading.Event())
    is_done: bool = False
    error: Exception | None = None

    def finish(self, error: Exception | None) -> None:
        self.is_done, self.error = True, error
        self.turn.set()


class GroupCommit:
    """Stores placements, those of concurrent requests together.

    engine: made with isolation_level="AUTOCOMMIT". wait_s: how long a placement waits for its group to begin.
    """

    def __init__(self, engine: sa.Engine, wait_s: float, max_rows: int = MAX_ROWS):
        self._engine, self._wait_s, self._max_rows = engine, wait_s, max_rows
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
        waiting = _Waiting(placement, response, after_commit)
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
            if not waiting.is_done:
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

        Whatever ends this thread meanwhile: nobody in its group waits on, and somebody else leads.
        """
        group = [own]
        try:
            with self._lock:
                group = self._take()
            self._store_group(group)
        except BaseException as error:
            unknown = CommitUnknown("The request that led the group has ended.")
            unknown.__cause__ = error
            _finish([waiting for waiting in group if not waiting.is_done], unknown)
            raise
        finally:
            with self._lock:
                if own in self._queue:
                    self._queue.remove(own)
                self._hand_on()

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
            in_use = self._execute(group)
        except CommitUnknown as error:
            _finish(group, error)
        except Exception as error:  # noqa: BLE001 - it is raised in the request that it belongs to
            if len(group) == 1 or not _is_about_a_row(error):
                _finish(group, error)
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
                waiting.finish(KeyInUse(in_use[number]) if number in in_use else None)

    def _store_one_by_one(self, group: list[_Waiting]) -> None:
        """Store each placement by itself. When the database fails, the rest would only wait for the same, in turn."""
        for number, waiting in enumerate(group):
            self._store_group([waiting])
            error = waiting.error
            if error is not None and not _is_about_a_row(error):
                _finish(group[number + 1 :], NotTaken())
                return

    def _execute(self, group: list[_Waiting]) -> dict[int, bool]:
        """Run the statement; return the placements that were not stored for their key, and whether it is running."""
        with self._engine.connect() as connection:
            sent_at = time.monotonic()
            try:
                rows = connection.execute(STORE, _parameters(group)).all()
            except DBAPIError as error:
                if error.connection_invalidated and not _was_refused(error):
                    logger.warning(
                        "The connection was lost %.1f s after a group was sent", time.monotonic() - sent_at
                    )
                    raise CommitUnknown from error
                raise
        return {number: not locked for number, locked in rows}


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


def _finish(group: list[_Waiting], error: Exception) -> None:
    for waiting in group:
        waiting.finish(error)


_POSTGRESQL = sa.make_url("postgresql://").get_dialect()()
# The columns of orders, from the model: what the database computes or begins itself is not stored.
_ORDER_COLUMNS = {
    column.name: column.type.compile(_POSTGRESQL)
    for column in Order.__table__.columns
    if column.server_default is None
}
_KEY_COLUMNS = ("key", "fingerprint", "status", "location", "body", "expires_at")

# All of a group's rows, as one array for each column. A placement whose key is taken stores nothing: its number comes
# back. Each key is locked before it is looked at, or the whole group would wait for the uncommitted key of another
# process. A response that has expired is replaced.
STORE = sa.text(
    """
    WITH keyed AS MATERIALIZED (
        SELECT given.*, pg_try_advisory_xact_lock(hashtextextended(key, 0)) AS locked
        FROM unnest(
            CAST(:k_placement AS int[]), CAST(:k_key AS text[]), CAST(:k_fingerprint AS bytea[]),
            CAST(:k_status AS int[]), CAST(:k_location AS text[]), CAST(:k_body AS bytea[]),
            CAST(:k_expires_at AS timestamptz[])
        ) AS given (placement, key, fingerprint, status, location, body, expires_at)
    ), stored AS (
        INSERT INTO idempotency_keys AS kept (key, fingerprint, status, location, body, expires_at)
        SELECT key, fingerprint, status, location, body, expires_at FROM keyed WHERE locked
        ON CONFLICT (key) DO UPDATE SET
            fingerprint = excluded.fingerprint, status = excluded.status, location = excluded.location,
            body = excluded.body, expires_at = excluded.expires_at
        WHERE kept.expires_at <= now()
        RETURNING key
    ), in_use AS MATERIALIZED (
        SELECT placement, locked FROM keyed WHERE NOT EXISTS (SELECT FROM stored WHERE stored.key = keyed.key)
    ), placed AS (
        INSERT INTO orders (@columns)
        SELECT @columns FROM unnest(CAST(:o_placement AS int[]), @arrays) AS given (placement, @columns)
        WHERE placement NOT IN (SELECT placement FROM in_use)
    ), events AS (
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)
        SELECT id, 'order', aggregateid, type, payload, version, direct,
            clock_timestamp() + make_interval(secs => grace_s)
        FROM unnest(
            CAST(:e_placement AS int[]), CAST(:e_id AS uuid[]), CAST(:e_aggregateid AS uuid[]),
            CAST(:e_type AS text[]), CAST(:e_payload AS text[]), CAST(:e_version AS int[]),
            CAST(:e_direct AS bool[]), CAST(:e_grace_s AS float8[])
        ) AS given (placement, id, aggregateid, type, payload, version, direct, grace_s)
        WHERE placement NOT IN (SELECT placement FROM in_use)
    )
    SELECT placement, locked FROM in_use
    """.replace("@columns", ", ".join(_ORDER_COLUMNS)).replace(
        "@arrays", ", ".join(f"CAST(:o_{name} AS {type_}[])" for name, type_ in _ORDER_COLUMNS.items())
    )
)


def _parameters(group: list[_Waiting]) -> dict[str, list[Any]]:
    orders = [(number, order) for number, waiting in enumerate(group) for order in waiting.placement.orders]
    events = [
        (number, waiting.placement.grace.total_seconds(), event)
        for number, waiting in enumerate(group)
        for event in waiting.placement.events
    ]
    keyed = [
        (number, waiting.response) for number, waiting in enumerate(group) if waiting.response is not None
    ]
    return {
        "o_placement": [number for number, _ in orders],
        **{f"o_{name}": [_plain(getattr(order, name)) for _, order in orders] for name in _ORDER_COLUMNS},
        "e_placement": [number for number, _, _ in events],
        "e_id": [str(event.id) for _, _, event in events],
        "e_aggregateid": [str(event.order_id) for _, _, event in events],
        "e_type": [event.type for _, _, event in events],
        "e_payload": [event.payload for _, _, event in events],
        "e_version": [event.version for _, _, event in events],
        "e_direct": [event.direct for _, _, event in events],
        "e_grace_s": [grace_s for _, grace_s, _ in events],
        "k_placement": [number for number, _ in keyed],
        **{f"k_{name}": [_plain(getattr(response, name)) for _, response in keyed] for name in _KEY_COLUMNS},
    }


def _plain(value: Any) -> Any:
    """Return what psycopg2 can put into an array: text for ids and times, which the statement casts."""
    return value if isinstance(value, int | str | bytes | None) else str(value)
