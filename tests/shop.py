"""The producer's REST interface, as its clients use it."""

from typing import Any, Final

import requests

from producer.domain.status import Status

Body = dict[str, Any]
ORDER: Final[Body] = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
# The statuses that a placed order goes through until it is delivered.
DELIVERY: Final = (Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED)
TIMEOUT_S = 15


class Shop:
    """A client of one producer."""

    def __init__(self, url: str):
        self.url = url

    def post(self, path: str, body: Body) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=TIMEOUT_S)

    def place(self, **changes: Any) -> str:
        """Place an order and return its id. Raises AssertionError when it is not acknowledged."""
        response = self.post("/orders", ORDER | changes)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    def change_status(self, order_id: str, status: Status) -> None:
        """Give an order its next status. Raises AssertionError when that is refused."""
        response = requests.patch(f"{self.url}/orders/{order_id}", json={"status": status}, timeout=TIMEOUT_S)
        assert response.status_code == 200, response.text

    def health(self) -> dict[str, Any]:
        """Return the body of `/health/ready`, whatever its status code."""
        response = requests.get(self.url + "/health/ready", timeout=TIMEOUT_S)
        health: dict[str, Any] = response.json()
        return health

    def is_healthy(self) -> bool:
        """Return True, or raise AssertionError with the health as it is."""
        health = self.health()
        assert health["status"] == "ok", health
        return True

    def count_outbox_rows(self) -> int:
        rows: int = self.health()["checks"]["outbox"]["rows"]
        return rows

    def order_ids(self, at_most: float = float("inf")) -> list[str]:
        """Return the ids of the orders, newest first, by paging through the list."""
        ids: list[str] = []
        after = ""
        while True:
            page = requests.get(f"{self.url}/orders?limit=200{after}", timeout=TIMEOUT_S).json()
            ids += [order["id"] for order in page["orders"]]
            if page["next"] is None or len(ids) >= at_most:
                return ids
            after = f"&after={page['next']}"

    def count_orders(self) -> int:
        return len(self.order_ids())
