from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from producer.cached import Cached
from producer.publishing.topic_health import TopicHealth
from tests.clock import FakeClock


def partition(number: int, leader: int = 1, isrs: tuple[int, ...] = (1, 2, 3)) -> tuple[int, Any]:
    return number, SimpleNamespace(id=number, leader=leader, isrs=list(isrs))


class FakePublisher:
    def __init__(
        self, *partitions: tuple[int, Any], error: Any = None, away: bool = False, started: bool = True
    ):
        topic = SimpleNamespace(partitions=dict(partitions), error=error)
        self.answer = SimpleNamespace(topics={"orders": topic}) if started else None
        self.away = away

    def metadata(self, timeout_s: float) -> Any:
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "no broker answers"))
        return self.answer


def status(publisher: FakePublisher) -> str:
    return str(TopicHealth(publisher, "orders", 2)()["status"])  # type: ignore[arg-type]


def test_every_partition_takes_writes() -> None:
    assert status(FakePublisher(partition(0), partition(1, isrs=(1, 2)))) == "ok"


def test_a_partition_without_a_leader() -> None:
    assert status(FakePublisher(partition(0), partition(1, leader=-1))) == "degraded"


def test_too_few_replicas_in_sync() -> None:
    assert status(FakePublisher(partition(0, isrs=(1,)))) == "degraded"


def test_no_such_topic() -> None:
    assert status(FakePublisher(error=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))) == "degraded"


def test_no_broker_answers() -> None:
    assert status(FakePublisher(away=True)) == "unavailable"


def test_before_the_start() -> None:
    assert status(FakePublisher(started=False)) == "unavailable"


def test_the_cluster_is_asked_once_however_many_want_to_know() -> None:
    clock, asked = FakeClock(0.0), []

    def check() -> dict[str, Any]:
        asked.append(clock.now)
        return {"status": "ok"}

    cached = Cached(check, 2.0, clock)
    for moment in (0.0, 1.9, 2.0, 3.0, 4.1):
        clock.now = moment
        assert cached() == {"status": "ok"}
    assert asked == [0.0, 2.0, 4.1]
