"""Figures for tests: those of contracts/order-stats.json."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from projector.store.queries import Figures, Item, Minute, Stats

TIME = datetime(2026, 11, 22, 14, 5, 6, 123456, UTC)
PRESENT = TIME.replace(second=0, microsecond=0)
STATS = Stats(
    {"cancelled": 1, "confirmed": 1, "placed": 2}, Decimal("12345678901234.50"), 6, {0: 799, 1: 842, 2: 0}
)
MINUTES = [
    Minute(
        PRESENT - timedelta(minutes=2),
        {"confirmed": 1, "placed": 3},
        {"confirmed": Decimal(64), "placed": Decimal("12345678901242.50")},
    ),
    Minute(PRESENT - timedelta(minutes=1), {}, {}),
    Minute(PRESENT, {"cancelled": 1, "placed": 1}, {"cancelled": Decimal("8.5"), "placed": Decimal("0.5")}),
]
ITEMS = [
    Item("Basic Tee", 2, 4, Decimal("12345678901234")),
    Item('<img src=x onerror="alert(1)"> & Möbel 🪑', 1, 1, Decimal("0.5")),
]
FIGURES = Figures(TIME, STATS, MINUTES, ITEMS)
