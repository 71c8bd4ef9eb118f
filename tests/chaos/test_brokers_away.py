"""All brokers away for a minute, under load: `make chaos`. Takes minutes, so `make test` leaves it out."""

import os
import threading
import time
from collections import Counter

import pytest
import requests

from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import ORDER, Shop
from tests.stack import BACKENDS, Stack

AWAY_S = float(os.environ.get("AWAY_S", "60"))
RATE = 50
THREADS = 4


class Load:
    """Orders at a fixed rate from several threads: what was answered, and how long that took."""

    def __init__(self, shop: Shop):
        self._shop, self._stop = shop, threading.Event()
        self.statuses: Counter[int] = Counter()
        self.acknowledged: list[str] = []
        self.seconds: list[float] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(THREADS / RATE):
            began = time.monotonic()
            answer = self._shop.post("/orders", ORDER)
            self.seconds.append(time.monotonic() - began)
            self.statuses[answer.status_code] += 1
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["id"])

    def summary(self, first: int, last: int) -> str:
        times = sorted(self.seconds[first:last])
        p50, p99 = (1000 * times[int(len(times) * part)] for part in (0.5, 0.99))
        return f"{len(times)} orders, p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def repeats(stack: Stack) -> int:
    health = requests.get(stack.env["CONSUMER_URL"] + "/health/ready", timeout=10).json()
    return int(health["checks"]["events"]["repeats"])


@pytest.mark.timeout(600)
def test_no_order_is_lost_while_all_brokers_are_down(whole: Stack, shop: Shop) -> None:
    before, pause = repeats(whole), threading.Event()
    with Viewer(whole.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        with Load(shop) as load:
            pause.wait(AWAY_S / 4)
            with_kafka = len(load.seconds)
            whole.run("stop", *BACKENDS[1:])
            gone = len(load.seconds)
            pause.wait(AWAY_S)
            back = len(load.seconds)
            whole.run("start", *BACKENDS[1:])
            eventually(shop.is_ok, within=90)
        assert set(load.statuses) == {201}
        eventually(lambda: viewer.has_seen(load.acknowledged), within=90)
        eventually(lambda: shop.outbox_rows() == 0, within=60)
    print(f"\nwith Kafka:    {load.summary(0, with_kafka)}")
    print(f"without Kafka: {load.summary(gone, back)}")
    print(f"acknowledged and shown: {len(load.acknowledged)}; repeats dropped: {repeats(whole) - before}")
