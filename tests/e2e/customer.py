"""A customer who orders without a pause, as load."""

import threading
from typing import Self

import requests

from tests.eventually import eventually
from tests.shop import ORDER, Shop


class Customer:
    """Places orders one after the other, as fast as they are taken, and keeps the ids of the acknowledged ones.

    refused: what came instead of an acknowledgement.
    """

    def __init__(self, shop: Shop):
        self._shop = shop
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            try:
                response = self._shop.post("/orders", ORDER)
            except requests.RequestException as error:
                self.refused.append(repr(error))
                continue
            if response.status_code == 201:
                self.acknowledged.append(response.json()["id"])
            else:
                self.refused.append(response.text)

    def place_more(self, orders: int) -> None:
        """Wait until this many more orders have been acknowledged."""
        goal = len(self.acknowledged) + orders
        eventually(lambda: len(self.acknowledged) >= goal, within=40)
