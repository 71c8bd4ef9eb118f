"""The producer's REST interface, as a client sees it."""

from typing import Any

import requests

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
TIMEOUT_S = 15


class Shop:
    def __init__(self, url: str):
        self.url = url

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=TIMEOUT_S)

    def place(self, **changes: Any) -> str:
        """The id of an order that was acknowledged."""
        answer = self.post("/orders", ORDER | changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def change(self, order_id: str, status: str) -> None:
        answer = requests.patch(f"{self.url}/orders/{order_id}", json={"status": status}, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text

    def ready(self) -> dict[str, Any]:
        answer = requests.get(self.url + "/health/ready", timeout=TIMEOUT_S)
        health: dict[str, Any] = answer.json()
        return health

    def is_ok(self) -> bool:
        health = self.ready()
        assert health["status"] == "ok", health
        return True

    def outbox_rows(self) -> int:
        rows: int = self.ready()["checks"]["outbox"]["rows"]
        return rows

    def orders(self) -> int:
        """How many orders there are, by paging to the end."""
        count, after = 0, ""
        while True:
            page = requests.get(f"{self.url}/orders?limit=200{after}", timeout=TIMEOUT_S).json()
            count += len(page["orders"])
            if page["next"] is None:
                return count
            after = f"&after={page['next']}"
