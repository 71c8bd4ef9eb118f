"""The projector's web application without threads, PostgreSQL and Kafka."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from projector import create_app
from projector.config import Settings
from projector.readmodel.placement import Position
from projector.services import EXTENSION, Services
from projector.store.database import DatabaseUnavailable
from projector.store.queries import Counts, Item, Minute, Stats, Version

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDER_ID = UUID("01939b1e-6b1c-7c3a-8b1e-0123456789ab")
SETTINGS = Settings(
    database_url="postgresql://nobody@nowhere/nothing",
    kafka_bootstrap_servers="nowhere:1",
    projector_instance_id="projector-1",
)


class FakeQueries:
    """Answers what a test has set. is_down: the database does not answer."""

    def __init__(self) -> None:
        self.is_down = False
        self.asked: list[int] = []
        self.by_status = {"placed": 2, "cancelled": 1}
        self.counted = Counts(repeats=0, ignored=0, parked=0, orders=0, unpublished=0)
        self.stored = {0: Position("topic-1", 3)}

    def _answer(self) -> None:
        if self.is_down:
            raise DatabaseUnavailable("connection refused")

    def stats(self) -> Stats:
        self._answer()
        return Stats(self.by_status, Decimal("72.5"), 4, {0: 3, 1: 1})

    def series(self, minutes: int) -> list[Minute]:
        self._answer()
        self.asked.append(minutes)
        amounts = {"placed": Decimal(10), "cancelled": Decimal("12.5")}
        return [
            Minute(NOON, {"placed": 2, "cancelled": 1}, amounts),
            Minute(NOON + timedelta(minutes=1), {}, {}),
        ]

    def items(self, limit: int) -> list[Item]:
        self._answer()
        self.asked.append(limit)
        return [Item("Basic Tee", 1, 2, Decimal(64))]

    def timeline(self, order_id: UUID) -> list[Version]:
        self._answer()
        return [Version(1, "placed", NOON, 0, 41)] if order_id == ORDER_ID else []

    def positions(self) -> dict[int, Position]:
        self._answer()
        return self.stored

    def counts(self) -> Counts:
        self._answer()
        return self.counted


class FakeLoop:
    problem = ""
    partitions = (0, 1)


class FakeWatch:
    problem = ""
    behind_s = 0.0
    has_caught_up = True

    def lag(self, positions: dict[int, Position]) -> dict[int, int]:
        return {0: 2, 1: 0}


class FakeDeadLetters:
    problem = ""


class FakeStats:
    problem = ""
    is_publishing = True
    published = 3
    failed = 1


class WebHarness:
    """A test client on fakes."""

    def __init__(self) -> None:
        self.app: Flask = create_app(SETTINGS)
        self.client: FlaskClient = self.app.test_client()
        self.queries, self.loop = FakeQueries(), FakeLoop()
        self.watch, self.dead_letters, self.stats = FakeWatch(), FakeDeadLetters(), FakeStats()
        fakes: dict[str, Any] = {
            "queries": self.queries,
            "health": self.queries,
            "loop": self.loop,
            "watch": self.watch,
            "dead_letters": self.dead_letters,
            "stats": self.stats,
        }
        services: Services = self.app.extensions[EXTENSION]
        self.app.extensions[EXTENSION] = replace(services, **fakes)
