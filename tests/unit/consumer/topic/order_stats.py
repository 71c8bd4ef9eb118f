"""Messages with figures, as the projector publishes them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def figures(seconds: float = 0, **changes: Any) -> bytes:
    """Return figures that are as of so many seconds past noon."""
    body: dict[str, Any] = {
        "time": (NOON + timedelta(seconds=seconds)).isoformat(timespec="microseconds")[:-6] + "Z",
        "orders": 2,
        "events": 3,
        "by_status": {"placed": 1, "confirmed": 1},
        "revenue": "96.00",
        "as_of": {"0": 3},
        "minutes": [
            {
                "minute": "2026-11-22T12:00:00.000000Z",
                "events": 3,
                "by_status": {"placed": 2},
                "revenue": "96.00",
            }
        ],
        "items": [{"item": "Basic Tee", "orders": 2, "quantity": 3, "revenue": "96.00"}],
    }
    return json.dumps(body | changes).encode()
