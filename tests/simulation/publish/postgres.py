"""PostgreSQL at READ COMMITTED, as far as the outbox depends on it.

What is modelled: a statement sees the rows that were committed when it began; FOR UPDATE waits for whoever holds a
row and then judges that row anew, but nothing else; SKIP LOCKED passes over it; a transaction that dies leaves
nothing behind. The statements are known by the constants that the product runs; `test_outbox_model.py` holds each
against the real one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter

from producer.domain import backlog, store_statement
from producer.domain.models import Order
from producer.relay import outbox

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DEADLOCK = "deadlock detected"
Key = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """A row of the outbox. Times are in seconds by the database's clock."""

    id: str
    aggregateid: str
    type: str
    payload: str
    version: int
    direct: bool
    created_at: float
    due_at: float
    attempts: int = 0
    parked_at: float | None = None
    parked_reason: str | None = None


class Measured(NamedTuple):
    """What MEASURE returns."""

    rows: int
    oldest_s: float | None
    parked: int


class Deleted(NamedTuple):
    """What DELETE and DISCARD return: arrays as text, as PostgreSQL writes them."""

    orders: str | None
    versions: str | None


@dataclass(eq=False)
class Transaction:
    """What one connection has changed and not committed. deadline_s: how long it waits for a lock."""

    owner: str
    began_at: float
    deadline_s: float
    writes: dict[Key, Any] = field(default_factory=dict)
    waits_for: "Transaction | None" = None
    is_over: bool = False


class Postgres:
    """One server.

    clock: its clock, in seconds. pause: called where others may run. wait: waits until a condition holds, for so
    many seconds at most; returns whether it does. committed: called after each commit with what was written.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        pause: Callable[[str], None] = lambda where: None,
        wait: Callable[[Callable[[], bool], float, str], bool] = lambda ready, timeout_s, where: ready(),
        committed: Callable[[Transaction], None] = lambda transaction: None,
    ) -> None:
        self.clock, self.pause, self._wait, self._committed = clock, pause, wait, committed
        self.tables: dict[str, dict[str, Any]] = {"orders": {}, "outbox": {}, "outbox_discarded": {}}
        self.locks: dict[Key, Transaction] = {}
        self.open: list[Transaction] = []
        self.partitions = 0  # by how many events are published: as many as Kafka's clients know
        self.is_down = False
        self.loses_commit = False
        self.measured: Callable[[Measured], None] = lambda measured: None
        self.claimed: Callable[[Transaction, Iterable[Row]], None] = lambda transaction, rows: None
        self._statements: dict[int, Callable[[Transaction, Mapping[str, Any]], list[Any]]] = {
            id(store_statement.EXECUTE): self._store,
            id(outbox.CLAIM): lambda t, p: self.claim(t, p),
            id(outbox.DELETE): self._delete,
            id(outbox.RELEASE_SUCCESSORS): self._release_successors,
            id(outbox.RELEASE_UNBLOCKED): self._release_unblocked,
            id(outbox.HAS_DUE): self._has_due,
            id(outbox.OLDEST_UNPARKED): self._oldest_unparked,
            id(outbox.HOLD): self._hold,
            id(outbox.PARK): self._park,
            id(outbox.PARKED): self._parked,
            id(outbox.REQUEUE): lambda t, p: self.requeue(t, p),
            id(outbox.DISCARD): self._discard,
            id(outbox.DELETE_EXPIRED_KEYS): lambda t, p: [],
            id(outbox.PULL_IN): lambda t, p: [],  # no clock is set back here
            id(backlog.MEASURE): lambda t, p: self.measure(t, p),
        }

    @property
    def outbox(self) -> dict[str, Row]:
        """The committed rows of the outbox."""
        return self.tables["outbox"]

    # Transactions

    def begin(self, owner: str, deadline_s: float) -> Transaction:
        """Begin a transaction of a process. Raises OperationalError while the server is down."""
        self.require_up()
        self.open.append(Transaction(owner, self.clock(), deadline_s))
        return self.open[-1]

    def require_up(self, transaction: Transaction | None = None) -> None:
        if self.is_down or (transaction is not None and transaction.is_over):
            raise _error("the server closed the connection unexpectedly")

    def commit(self, transaction: Transaction) -> None:
        """Make its writes visible, all at once."""
        self.require_up(transaction)
        for (table, key), row in transaction.writes.items():
            if row is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = row
        self._end(transaction)
        self._committed(transaction)
        if self.loses_commit and transaction.writes:
            self.loses_commit = False
            raise _error("the server closed the connection unexpectedly, after COMMIT")

    def rollback(self, transaction: Transaction) -> None:
        """Forget its writes."""
        if not transaction.is_over:
            transaction.writes.clear()
            self._end(transaction)

    def disconnect(self, owner: str | None = None) -> None:
        """Abort the open transactions of a process, or of all."""
        for transaction in [*self.open]:
            if owner is None or transaction.owner == owner:
                self.rollback(transaction)

    def _end(self, transaction: Transaction) -> None:
        transaction.is_over = True
        self.open.remove(transaction)
        for key in [key for key, holder in self.locks.items() if holder is transaction]:
            del self.locks[key]

    def snapshot(self, transaction: Transaction, table: str) -> dict[str, Any]:
        """Return the rows that a statement sees which begins now."""
        seen = dict(self.tables[table])
        for (name, key), row in transaction.writes.items():
            if name != table:
                continue
            if row is None:
                seen.pop(key, None)
            else:
                seen[key] = row
        return seen

    def lock(self, transaction: Transaction, table: str, key: str, *, skip: bool = False) -> bool:
        """Lock a row; with `skip`, return False when another transaction holds it. Raises OperationalError."""
        self.require_up(transaction)
        at = (table, key)
        while (holder := self.locks.get(at)) not in (None, transaction):
            if skip:
                return False
            assert holder is not None
            transaction.waits_for = holder
            self._refuse_circle(transaction)
            ended = self._wait(lambda: self.locks.get(at) is None, transaction.deadline_s, f"row lock {key}")
            transaction.waits_for = None
            if not ended:
                self.rollback(transaction)
                raise _error("canceling statement due to statement timeout")
            self.require_up(transaction)
        self.locks[at] = transaction
        return True

    def _refuse_circle(self, transaction: Transaction) -> None:
        other = transaction.waits_for
        while other is not None:
            if other is transaction:
                transaction.waits_for = None
                self.rollback(transaction)
                raise _error(DEADLOCK)
            other = other.waits_for

    def newest(self, transaction: Transaction, table: str, key: str) -> Any:
        """Return a locked row as it is now, or None when it is gone."""
        if (table, key) in transaction.writes:
            return transaction.writes[table, key]
        return self.tables[table].get(key)

    # Statements

    def run(self, statement: Any, parameters: Mapping[str, Any], owner: str, deadline_s: float) -> list[Any]:
        """Run a statement in a transaction of its own."""
        self.pause("before a statement")
        transaction = self.begin(owner, deadline_s)
        try:
            rows = self._statements[id(statement)](transaction, parameters)
            self.pause("before its commit")
            self.commit(transaction)
        finally:
            self.rollback(transaction)
        self.pause("after a statement")
        return rows

    def _store(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        """INSERT the orders and outbox rows of a group. Keys are not modelled: no placement's is in use."""
        self.pause("STORE has its snapshot")
        for given in _given_rows(p["literals"]):
            order = _order_columns(given)
            self.lock(transaction, "orders", given["id"])
            transaction.writes["orders", given["id"]] = order
            row = Row(
                given["event_id"], given["id"], given["type"], given["payload"], int(given["version"]), True,
                transaction.began_at, self.clock() + float(given["grace_s"]),
            )  # fmt: skip
            self.lock(transaction, "outbox", row.id)
            transaction.writes["outbox", row.id] = row
        return [(None, None, self.partitions)]

    def earliest(self, row: Row, seen: Mapping[str, Row], now: float) -> Row | None:
        """Return the earliest of the earlier rows of its order, in a snapshot."""
        earlier = [e for e in seen.values() if e.aggregateid == row.aggregateid and e.version < row.version]
        return min(earlier, key=lambda e: e.version, default=None)

    def is_claimable(self, transaction: Transaction, row: Row, now: float) -> bool:
        """Return CLAIM's condition on a row."""
        return row.parked_at is None and row.due_at <= now

    def claim(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        now, seen = self.clock(), self.snapshot(transaction, "outbox")
        self.pause("CLAIM has its snapshot")
        due: list[Row] = []
        for old in sorted(seen.values(), key=lambda row: row.due_at):
            if len(due) == p["limit"]:
                break
            if not self.is_claimable(transaction, old, now):
                continue
            if not self.lock(transaction, "outbox", old.id, skip=True):
                continue
            row = self.newest(transaction, "outbox", old.id)
            if row is not None and self.is_claimable(transaction, row, now):
                due.append(row)
        self.pause("CLAIM has its locks")
        found, at = [], self.clock()
        for row in due:
            earliest = self.earliest(row, seen, now)
            if earliest is None:
                wait_s, tries = p["first_s"] * (row.attempts + 1), 1
            else:
                tries = 0
                if earliest.parked_at is None:
                    wait_s = max(1.0, 2.0 ** (min(earliest.attempts, 10) - 1), (earliest.due_at - now) / 4)
                else:
                    wait_s = max(1.0, now - earliest.parked_at)
            due_at = at + min(p["longest_s"], wait_s)
            new = replace(row, attempts=row.attempts + tries, due_at=due_at)
            transaction.writes["outbox", row.id] = new
            found.append((earliest is not None, row.id, row.aggregateid, row.payload, self.partitions))
        self.claimed(transaction, [row for row, each in zip(due, found, strict=True) if not each[0]])
        return found

    def _delete(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        seen = self.snapshot(transaction, "outbox")
        self.pause("DELETE has its snapshot")
        deleted = []
        for key in sorted(set(_array(p["ids"]))):
            if key in seen and self.lock(transaction, "outbox", key):
                row = self.newest(transaction, "outbox", key)
                if row is not None:
                    deleted.append(row)
        self.pause("DELETE has its locks")
        for row in deleted:
            transaction.writes["outbox", row.id] = None
        return [_deleted(deleted)]

    def _release_successors(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        now, seen = self.clock(), self.snapshot(transaction, "outbox")
        self.pause("RELEASE_SUCCESSORS has its snapshot")
        wanted = {
            (order, int(version) + 1)
            for order, version in zip(_array(p["orders"]), _array(p["versions"]), strict=True)
        }

        def is_released(row: Row) -> bool:
            return (
                (row.aggregateid, row.version) in wanted
                and not row.direct and row.attempts == 0 and row.parked_at is None and row.due_at > now
            )  # fmt: skip

        released = []
        for old in seen.values():
            if is_released(old) and self.lock(transaction, "outbox", old.id, skip=True):
                row = self.newest(transaction, "outbox", old.id)
                if row is not None and is_released(row):
                    transaction.writes["outbox", row.id] = replace(row, due_at=now)
                    released.append(row)
        return released

    def _release_unblocked(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        now, seen = self.clock(), self.snapshot(transaction, "outbox")
        self.pause("RELEASE_UNBLOCKED has its snapshot")

        def is_released(row: Row) -> bool:
            return not row.direct and row.attempts == 0 and row.parked_at is None and row.due_at > now

        released = []
        for key in _array(p["ids"]):
            old = seen.get(key)
            if old is None or not is_released(old) or self.earliest(old, seen, now) is not None:
                continue
            if self.lock(transaction, "outbox", old.id, skip=True):
                row = self.newest(transaction, "outbox", old.id)
                if row is not None and is_released(row):
                    transaction.writes["outbox", row.id] = replace(row, due_at=now)
                    released.append(row)
        return released

    def _has_due(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        now = self.clock()
        return [(any(row.parked_at is None and row.due_at <= now for row in self.outbox.values()), True)]

    def waiting(self) -> list[Row]:
        """Return the rows that count as a backlog: neither parked nor behind a parked one."""
        parked = [(row.aggregateid, row.version) for row in self.outbox.values() if row.parked_at is not None]
        return [
            row
            for row in self.outbox.values()
            if row.parked_at is None
            and not any(order == row.aggregateid and version < row.version for order, version in parked)
        ]

    def _oldest_unparked(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        oldest = min((row.created_at for row in self.waiting()), default=None)
        return [] if oldest is None else [(EPOCH + timedelta(seconds=oldest),)]

    def _hold(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        seen = self.snapshot(transaction, "outbox")
        held = []
        for key in sorted(set(_array(p["ids"]))):
            if key in seen and self.lock(transaction, "outbox", key, skip=True):
                row = self.newest(transaction, "outbox", key)
                if row is not None:
                    attempts = max(0, row.attempts - p["untried"])
                    due_at = self.clock() + p["for_s"]
                    transaction.writes["outbox", key] = replace(row, due_at=due_at, attempts=attempts)
                    held.append(row)
        return held

    def _update(
        self, transaction: Transaction, seen: Mapping[str, Row], where: Callable[[Row], bool], **changes: Any
    ) -> list[Row]:
        """Change the rows of a snapshot that meet a condition, waiting for each, and judging it anew then."""
        changed = []
        for old in seen.values():
            if where(old) and self.lock(transaction, "outbox", old.id):
                row = self.newest(transaction, "outbox", old.id)
                if row is not None and where(row):
                    transaction.writes["outbox", row.id] = replace(row, **changes)
                    changed.append(row)
        return changed

    def _park(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        key = str(p["id"])
        seen = self.snapshot(transaction, "outbox")
        return self._update(
            transaction, seen, lambda row: row.id == key and row.parked_at is None,
            parked_at=self.clock(), parked_reason=p["reason"],
        )  # fmt: skip

    def _parked(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        return sorted(
            (row for row in self.outbox.values() if row.parked_at is not None),
            key=lambda row: row.parked_at or 0,
        )

    def requeue(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        key, now = str(p["id"]), self.clock()
        seen = self.snapshot(transaction, "outbox")
        self.pause("REQUEUE has its snapshot")
        requeued = self._update(
            transaction, seen, lambda row: row.id == key and row.parked_at is not None,
            parked_at=None, parked_reason=None, attempts=0, due_at=now, created_at=now,
        )  # fmt: skip
        self.renew_later(transaction, seen, requeued)
        return [(row.id,) for row in requeued]

    def renew_later(self, transaction: Transaction, seen: Mapping[str, Row], rows: Iterable[Row]) -> None:
        """Begin the age of later versions now."""
        for row in rows:
            self._update(
                transaction, seen,
                lambda later, row=row: later.aggregateid == row.aggregateid and later.version > row.version,  # type: ignore[misc]
                created_at=self.clock(),
            )  # fmt: skip

    def _discard(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        key = str(p["id"])
        seen = self.snapshot(transaction, "outbox")
        self.pause("DISCARD has its snapshot")
        deleted = self._update(transaction, seen, lambda row: row.id == key and row.parked_at is not None)
        for row in deleted:
            transaction.writes["outbox", row.id] = None
            transaction.writes["outbox_discarded", row.id] = row
        self.renew_later(transaction, seen, deleted)
        return [_deleted([row]) for row in deleted]

    def oldest_s(self) -> float | None:
        """Return the age that MEASURE tells."""
        oldest = min((row.created_at for row in self.waiting()), default=None)
        return None if oldest is None else self.clock() - oldest

    def measure(self, transaction: Transaction, p: Mapping[str, Any]) -> list[Any]:
        parked = sum(row.parked_at is not None for row in self.outbox.values())
        measured = Measured(len(self.outbox), self.oldest_s(), parked)
        self.measured(measured)
        return [measured]


class Engine:
    """An engine with isolation_level="AUTOCOMMIT", of one process."""

    def __init__(self, postgres: Postgres, owner: str, deadline_s: float = 3.0) -> None:
        self._postgres, self._owner, self._deadline_s = postgres, owner, deadline_s

    @contextmanager
    def connect(self) -> Iterator["Engine"]:
        yield self

    def execute(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> "Result":
        return Result(self._postgres.run(statement, parameters or {}, self._owner, self._deadline_s))

    def exec_driver_sql(self, statement: str, parameters: tuple[str, ...]) -> "Result":
        return self.execute(statement, {"literals": parameters})


class Result:
    """The rows of a statement."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self.rowcount = len(rows)

    def all(self) -> list[Any]:
        return self._rows

    def one(self) -> Any:
        (row,) = self._rows
        return row


class Session:
    """The statements that Order.move_to needs of an ORM session, in one transaction."""

    def __init__(self, postgres: Postgres, transaction: Transaction) -> None:
        self._postgres, self.transaction = postgres, transaction
        self._pending: list[Order] = []

    def add(self, order: Order) -> None:
        self._pending.append(order)

    def flush(self) -> None:
        """INSERT or UPDATE what was added."""
        self._statement("INSERT or UPDATE orders")
        for order in self._pending:
            order.total = order.unit_price * order.quantity
            values = {column.key: getattr(order, column.key) for column in sa.inspect(Order).column_attrs}
            self._postgres.lock(self.transaction, "orders", str(order.id))
            self.transaction.writes["orders", str(order.id)] = values
        self._pending.clear()

    def get(self, model: type[Order], key: Any, with_for_update: bool) -> Order | None:
        """SELECT FOR UPDATE of one order. A statement that waited returns the order as it is after the wait."""
        self._statement("SELECT order FOR UPDATE")
        if str(key) not in self._postgres.snapshot(self.transaction, "orders"):
            return None
        self._postgres.lock(self.transaction, "orders", str(key))
        return Order(**self._postgres.newest(self.transaction, "orders", str(key)))

    def scalar(self, statement: Any, parameters: Mapping[str, Any]) -> Any:
        """Answer OutboxEvent.direct_partitions: nothing when the outbox has a row of this order."""
        self._statement("SELECT EXISTS outbox")
        return None if self.contains(str(parameters["order_id"])) else self._postgres.partitions

    def contains(self, order_id: str) -> bool:
        rows = self._postgres.snapshot(self.transaction, "outbox").values()
        return any(row.aggregateid == order_id for row in rows)

    def execute(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        """INSERT the outbox rows of OutboxEvent.add."""
        self._statement("INSERT outbox")
        (grace,) = _values(statement)
        for each in rows:
            row = Row(
                str(each["id"]), str(each["aggregateid"]), each["type"], each["payload"], each["version"],
                each["direct"], self.transaction.began_at, self._postgres.clock() + grace.total_seconds(),
            )  # fmt: skip
            self._postgres.lock(self.transaction, "outbox", row.id)
            self.transaction.writes["outbox", row.id] = row

    def _statement(self, name: str) -> None:
        self._postgres.pause(name)
        self._postgres.require_up(self.transaction)


_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",{}]+)', re.DOTALL)


def _given_rows(literals: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of orders and events that a group's array literals hold, as texts."""
    columns = [
        [
            re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) or bare
            for quoted, bare in _ELEMENT.findall(literal[1:-1])
        ]
        for literal in literals[: len(store_statement.ROWS)]
    ]
    return [dict(zip(store_statement.ROWS, row, strict=True)) for row in zip(*columns, strict=True)]


def _order_columns(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the row of an order from the texts that PostgreSQL reads, and what it computes."""
    price, quantity = Decimal(given["unit_price"]), int(given["quantity"])
    texts = {name: given[name] for name in ("customer_name", "item", "description", "status")}
    times = {name: datetime.fromisoformat(given[name]) for name in ("created_at", "updated_at")}
    return {
        **texts, **times, "id": UUID(given["id"]), "version": int(given["version"]), "unit_price": price,
        "quantity": quantity, "total": price * quantity,
        "event_id": UUID(given["event_id"]), "changed_at": [],
    }  # fmt: skip


def _values(statement: Any) -> list[Any]:
    return [each.value for each in visitors.iterate(statement) if isinstance(each, BindParameter)]


def _array(text: str) -> list[str]:
    return text[1:-1].split(",") if len(text) > 2 else []


def _deleted(rows: list[Row]) -> Deleted:
    if not rows:
        return Deleted(None, None)
    orders, versions = (",".join(x) for x in ([r.aggregateid for r in rows], [str(r.version) for r in rows]))
    return Deleted("{" + orders + "}", "{" + versions + "}")


def _error(text: str) -> OperationalError:
    return OperationalError("", {}, Exception(text))
