"""Load: someone who orders without a pause."""

import threading
from typing import Any

import requests

from tests.eventually import eventually
from tests.shop import ORDER, Shop


class Customer:
    """Places orders one after the other, as fast as they are taken, and remembers what was acknowledged."""

    def __init__(self, shop: Shop):
        self._shop = shop
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Customer":
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stop.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            try:
                answer = self._shop.post("/orders", ORDER)
            except requests.RequestException:
                continue
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["id"])

    def goes_on(self, orders: int) -> None:
        goal = len(self.acknowledged) + orders
        eventually(lambda: len(self.acknowledged) >= goal, within=40)
