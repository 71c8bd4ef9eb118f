"""Is the process alive, and can it take orders?"""

import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException
from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from producer.publisher import Publisher

health = Blueprint("health", __name__, url_prefix="/health")

OLD_EVENT_S = 30
KAFKA_TIMEOUT_S = 1.0
Check = dict[str, Any]


class Cached:
    """A check's answer, kept for a moment: however many ask, the cluster is asked once."""

    def __init__(
        self, check: Callable[[], Check], seconds: float, clock: Callable[[], float] = time.monotonic
    ):
        self._check, self._seconds, self._clock = check, seconds, clock
        self._lock = threading.Lock()
        self._until = -1.0
        self._answer: Check = {}

    def __call__(self) -> Check:
        with self._lock:
            if self._clock() >= self._until:
                self._answer = self._check()
                self._until = self._clock() + self._seconds
            return self._answer


class KafkaCheck:
    """`ok` only while every partition takes writes: it has a leader and enough replicas in sync."""

    def __init__(self, publisher: Publisher, topic: str, min_insync: int):
        self._publisher, self._topic, self._min_insync = publisher, topic, min_insync

    def __call__(self) -> Check:
        try:
            metadata = self._publisher.metadata(KAFKA_TIMEOUT_S)
        except KafkaException as error:
            return {"status": "unavailable", "detail": error.args[0].str()}
        if metadata is None:
            return {"status": "unavailable", "detail": "not started"}
        topic = metadata.topics[self._topic]
        stuck = [p.id for p in topic.partitions.values() if p.leader < 0 or len(p.isrs) < self._min_insync]
        if topic.error is not None or stuck:
            detail = topic.error.str() if topic.error else f"too few replicas in sync: {sorted(stuck)}"
            return {"status": "degraded", "detail": detail}
        return {"status": "ok"}


@health.get("/live")
def live() -> Response:
    return jsonify(status="ok")


@health.get("/ready")
def ready() -> tuple[Response, int]:
    """200 while the database answers. Kafka away is `degraded`: orders are taken, their events wait."""
    database, outbox = _database()
    extensions = current_app.extensions
    kafka, breaker = extensions["kafka_check"](), {"state": extensions["publisher"].breaker.state}
    if database["status"] != "ok":
        status = "unavailable"
    elif kafka["status"] != "ok" or breaker["state"] == "open" or (outbox["oldest_s"] or 0) > OLD_EVENT_S:
        status = "degraded"
    else:
        status = "ok"
    checks = {"database": database, "kafka": kafka, "outbox": outbox, "breaker": breaker}
    return jsonify(status=status, checks=checks), 503 if status == "unavailable" else 200


def _database() -> tuple[Check, Check]:
    try:
        return {"status": "ok"}, current_app.extensions["measure_backlog"]()
    except SQLAlchemyError as error:
        problem = str(error).splitlines()[0]
        return {"status": "unavailable", "detail": problem}, {"rows": None, "oldest_s": None}
