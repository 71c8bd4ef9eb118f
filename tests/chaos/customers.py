"""Customers who order and change their orders without a pause, and keep account of every answer."""

import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

import requests

from producer.domain.status import Status
from tests.shop import DELIVERY, ORDER

TIMEOUT_S = 20
# How long a customer repeats a request whose outcome is unknown.
PATIENCE_S = 60
RETRY_S = 0.5
Change = tuple[str, int]  # the id of an order and its version


class Outcome(Enum):
    """What a customer knows about a request.

    ACKNOWLEDGED: it was answered with success. REFUSED: it was answered that nothing was stored, or there was nobody
    to connect to. UNKNOWN: there was no answer, or one that says that it may have been stored.
    """

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass
class Attempt:
    """One thing that a customer wanted, and how it ended.

    marker: the name of the customer in the orders, different for each attempt. first: what the first answer said; an
    unknown one is repeated with the same key. changes: what was acknowledged. ended: when its last answer came.
    wanted: how many orders; 0 for a change. change: what a change would have made of its order.
    """

    marker: str
    began: float
    wanted: int = 0
    change: Change | None = None
    first: Outcome | None = None
    last: Outcome | None = None
    changes: list[Change] = field(default_factory=list)
    ended: float = 0.0
    was_answered_503: bool = False


@dataclass(frozen=True)
class Answer:
    outcome: Outcome
    status: int = 0
    body: Any = None


def judge(send: Callable[[], requests.Response]) -> Answer:
    """Send a request and return what its answer says, by the words of the API."""
    try:
        response = send()
        body = response.json()
    except requests.exceptions.ConnectTimeout:
        return Answer(Outcome.REFUSED)
    except (requests.RequestException, ValueError) as error:
        # Nobody listened: nothing was sent.
        never_sent = "NewConnectionError" in repr(error)
        return Answer(Outcome.REFUSED if never_sent else Outcome.UNKNOWN)
    if response.status_code in (200, 201):
        return Answer(Outcome.ACKNOWLEDGED, response.status_code, body)
    unknown = response.status_code == 409 or "may have been stored" in str(body.get("detail"))
    return Answer(Outcome.UNKNOWN if unknown else Outcome.REFUSED, response.status_code, body)


class Customers:
    """Several customers, each in a thread.

    url: returns the producer's address. attempts: all of them. odd: answers that no fault explains: an internal error,
    or that a valid request is not.
    """

    def __init__(self, url: Callable[[], str], count: int = 4, pause_s: float = 0.08, seed: int = 1):
        self._url, self._pause_s = url, pause_s
        self.attempts: list[Attempt] = []
        self.odd: list[str] = []
        self._stop, self._may_go_on = threading.Event(), threading.Event()
        self._may_go_on.set()
        self._lock, self._busy = threading.Condition(), 0
        self._threads = [
            threading.Thread(target=self._run, args=(number, random.Random(seed + number)), daemon=True)
            for number in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._may_go_on.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S + PATIENCE_S)

    def pause(self, within: float = TIMEOUT_S + PATIENCE_S) -> None:
        """Wait until each customer has an answer or has given up, and let none begin anew."""
        with self._lock:
            self._may_go_on.clear()
            assert self._lock.wait_for(lambda: self._busy == 0, within), "a customer's request never ended"

    def go_on(self) -> None:
        self._may_go_on.set()

    def _run(self, number: int, dice: random.Random) -> None:
        own: dict[str, tuple[int, list[Status]]] = {}
        for count in itertools.count():
            while True:
                self._may_go_on.wait()
                with self._lock:
                    if self._may_go_on.is_set():
                        self._busy += 1
                        break
            try:
                if self._stop.is_set():
                    return
                attempt = Attempt(f"{number}-{count}", time.monotonic())
                kind = dice.random()
                if own and kind < 0.3:
                    self._change(attempt, own, dice)
                else:
                    self._place(attempt, own, 1 if kind < 0.9 else 3)
                attempt.ended = time.monotonic()
                self.attempts.append(attempt)
            finally:
                with self._lock:
                    self._busy -= 1
                    self._lock.notify_all()
            self._stop.wait(self._pause_s)

    def _place(self, attempt: Attempt, own: dict[str, tuple[int, list[Status]]], count: int) -> None:
        attempt.wanted = count
        order = ORDER | {"customer_name": attempt.marker}
        path, body = ("/orders", order) if count == 1 else ("/orders/batch", {"orders": [order] * count})

        def send() -> requests.Response:
            key = {"Idempotency-Key": f"key-{attempt.marker}"}
            return requests.post(self._url() + path, json=body, headers=key, timeout=TIMEOUT_S)

        answer = self._settle(attempt, send)
        if answer.outcome is Outcome.ACKNOWLEDGED:
            for order_id in [answer.body["id"]] if count == 1 else [o["id"] for o in answer.body["orders"]]:
                attempt.changes.append((order_id, 1))
                own[order_id] = 1, list(DELIVERY)

    def _change(
        self, attempt: Attempt, own: dict[str, tuple[int, list[Status]]], dice: random.Random
    ) -> None:
        """Take an order to its next status. Whether an unanswered change was stored is looked up, as a page does it."""
        order_id = dice.choice(list(own)[-20:])
        version, steps = own.pop(order_id)
        attempt.change = order_id, version + 1
        url = f"{self._url()}/orders/{order_id}"

        def change() -> requests.Response:
            return requests.patch(
                url, json={"status": steps[0]}, headers={"If-Match": f'"{version}"'}, timeout=TIMEOUT_S
            )

        answer = judge(change)
        attempt.first = attempt.last = self._note(attempt, answer, "PATCH")
        if answer.outcome is Outcome.UNKNOWN:
            return  # whatever came of it, its events must be whole; the order is left alone from here on
        if answer.outcome is Outcome.ACKNOWLEDGED:
            version, steps = version + 1, steps[1:]
            attempt.changes.append((order_id, version))
        if steps:
            own[order_id] = version, steps

    def _settle(self, attempt: Attempt, send: Callable[[], requests.Response]) -> Answer:
        """Send; repeat what is unknown, with the same key, until it is known or patience ends."""
        answer = judge(send)
        attempt.first = attempt.last = self._note(attempt, answer, "POST")
        end = time.monotonic() + PATIENCE_S
        while attempt.last is Outcome.UNKNOWN and time.monotonic() < end and not self._stop.wait(RETRY_S):
            answer = judge(send)
            # A repetition that was refused does not tell whether the first one was stored.
            known = answer.outcome is Outcome.ACKNOWLEDGED
            attempt.last = self._note(attempt, answer, "POST again") if known else Outcome.UNKNOWN
        return answer if attempt.last is Outcome.ACKNOWLEDGED else Answer(attempt.last)

    def _note(self, attempt: Attempt, answer: Answer, what: str) -> Outcome:
        attempt.was_answered_503 |= answer.status == 503
        if answer.status not in (0, 200, 201, 409, 503):
            self.odd.append(f"{what} was answered with {answer.status}: {answer.body}")
        return answer.outcome
