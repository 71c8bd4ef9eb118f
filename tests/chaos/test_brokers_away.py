"""All brokers down for a minute, under load: `make chaos`. Takes minutes, so `make test` leaves it out."""

import os
import threading
import time
from collections import Counter
from typing import Self

import pytest
import requests

from local_stack.services import BROKERS
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import ORDER, Shop
from tests.stack import Stack

AWAY_S = float(os.environ.get("AWAY_S", "60"))
ORDERS_PER_S = 50
THREADS = 4


class Load:
    """Orders at a fixed rate from several threads; keeps the status code and the duration of each response."""

    def __init__(self, shop: Shop):
        self._shop, self._stop = shop, threading.Event()
        self.statuses: Counter[int] = Counter()
        self.acknowledged: list[str] = []
        self.seconds: list[float] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(THREADS / ORDERS_PER_S):
            began = time.monotonic()
            response = self._shop.post("/orders", ORDER)
            self.seconds.append(time.monotonic() - began)
            self.statuses[response.status_code] += 1
            if response.status_code == 201:
                self.acknowledged.append(response.json()["id"])

    def summary(self, first: int, last: int) -> str:
        """Return the number of the responses from `first` to before `last`, and how long they took."""
        times = sorted(self.seconds[first:last])
        p50, p99 = (1000 * times[int(len(times) * part)] for part in (0.5, 0.99))
        return f"{len(times)} orders, p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def count_repeats(stack: Stack) -> int:
    health = requests.get(stack.env["CONSUMER_URL"] + "/health/ready", timeout=10).json()
    return int(health["checks"]["events"]["repeats"])


@pytest.mark.timeout(600)
def test_no_order_is_lost_while_all_brokers_are_down(restored_stack: Stack, shop: Shop) -> None:
    before, pause = count_repeats(restored_stack), threading.Event()
    with Viewer(restored_stack.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        with Load(shop) as load:
            pause.wait(AWAY_S / 4)
            with_kafka = len(load.seconds)
            restored_stack.run("stop", *BROKERS)
            after_stop = len(load.seconds)
            pause.wait(AWAY_S)
            before_start = len(load.seconds)
            restored_stack.run("start", *BROKERS)
            eventually(shop.is_healthy, within=90)
        assert set(load.statuses) == {201}
        eventually(lambda: viewer.has_seen(load.acknowledged), within=90)
        eventually(lambda: shop.count_outbox_rows() == 0, within=60)
    print(f"\nwith Kafka:    {load.summary(0, with_kafka)}")
    print(f"without Kafka: {load.summary(after_stop, before_start)}")
    dropped = count_repeats(restored_stack) - before
    print(f"acknowledged and shown: {len(load.acknowledged)}; repeats dropped: {dropped}")
