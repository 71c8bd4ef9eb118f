"""Events on the topic become figures, whatever is repeated, foreign or unreadable among them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from uuid import UUID

import pytest
from requests import ConnectionError

from tests.eventually import eventually
from tests.integration.projector.conftest import READY_S, StartInstance, Topic
from tests.order_events import TEST_EVENT, Sums, Told, orders, sums

pytestmark = pytest.mark.timeout(400)


def test_events_become_figures_each_version_counted_once(
    topic: Topic, start_instance: StartInstance, stored_sums: Callable[[], Sums]
) -> None:
    told = list(chain.from_iterable(orders(60)))
    topic.put(told)
    topic.send(TEST_EVENT, b"t")
    topic.put(told[:20])  # as after a time-out whose message had arrived
    instance = start_instance()
    eventually(lambda: instance.checks["reading"]["repeats"] == 20, READY_S)
    eventually(lambda: instance.checks["reading"]["ignored"] == 1)
    assert stored_sums() == sums(told)
    body = instance.get("/stats").json()
    assert body["events"] == len(told)
    assert sum(body["as_of"].values()) == len(told) + 21


def test_figures_are_answered_with_an_etag_and_bad_input_is_refused(
    topic: Topic, start_instance: StartInstance
) -> None:
    now = datetime.now(UTC)
    tee, mug = Told(UUID(int=1), time=now), Told(UUID(int=2), item="Mug", quantity=1, time=now)
    cap = Told(UUID(int=3), item="Cap", time=now)
    topic.put([tee, mug, replace(mug, version=2, status="confirmed"), cap, cancelled(cap, version=2)])
    instance = start_instance()
    eventually(lambda: instance.get("/stats").json()["events"] == 5, READY_S, not_yet=ConnectionError)

    stats = instance.get("/stats")
    assert stats.json()["by_status"] == {"placed": 1, "confirmed": 1, "cancelled": 1}
    assert (stats.json()["orders"], stats.json()["revenue"]) == (3, "128.00")
    assert instance.get("/stats", **{"If-None-Match": stats.headers["ETag"]}).status_code == 304
    minutes = instance.get("/stats/series?minutes=60").json()["minutes"]
    assert len(minutes) == 60
    assert sum(minute["events"] for minute in minutes) == 5
    assert sum(Decimal(minute["revenue"]) for minute in minutes) == Decimal("128.00")
    items = [each["item"] for each in instance.get("/stats/items?limit=2").json()["items"]]
    assert items == ["Basic Tee", "Mug"]

    versions = instance.get(f"/orders/{mug.order_id}/timeline").json()["versions"]
    assert [(each["version"], each["status"]) for each in versions] == [(1, "placed"), (2, "confirmed")]
    assert [each["offset"] for each in versions] == [versions[0]["offset"], versions[0]["offset"] + 1]
    unknown = instance.get(f"/orders/{UUID(int=9)}/timeline")
    assert (unknown.status_code, unknown.headers["Content-Type"]) == (404, "application/problem+json")
    for path in ("/stats/series?minutes=0", "/stats/series?minutes=1e1", "/stats/items?limit=101"):
        assert instance.get(path).status_code == 400
    assert instance.stop() == 0


def cancelled(told: Told, version: int) -> Told:
    return replace(told, version=version, status="cancelled")
