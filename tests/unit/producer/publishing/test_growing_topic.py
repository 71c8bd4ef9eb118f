"""The topic's answers while it is given more partitions, by a client that is not connected to anything."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from producer.config import Settings
from producer.publishing import growing_topic
from producer.publishing.growing_topic import KafkaTopic


class Admin:
    def __init__(self, code: int):
        self._code = code

    def create_partitions(self, *_: object, **__: object) -> dict[str, "Future[Any]"]:
        answer: Future[Any] = Future()
        answer.set_exception(KafkaException(KafkaError(self._code)))
        return {"orders": answer}


SETTINGS = Settings(database_url="postgresql://u:p@h:1/d", kafka_bootstrap_servers="127.0.0.1:1")


def topic(code: int) -> KafkaTopic:
    made = KafkaTopic(SETTINGS)
    made._admin = Admin(code)  # type: ignore[assignment]
    return made


@pytest.mark.parametrize("code", [KafkaError._TIMED_OUT, KafkaError.REQUEST_TIMED_OUT])
def test_answer_that_does_not_come_leaves_open_whether_partitions_were_added(code: int) -> None:
    topic(code).add(12)


def test_refusal_is_an_error() -> None:
    with pytest.raises(KafkaException):
        topic(KafkaError.INVALID_PARTITIONS).add(12)


def test_client_library_writes_nothing_in_between_what_people_read(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(growing_topic, "REQUEST_S", 1)
    made = KafkaTopic(SETTINGS)
    with pytest.raises(KafkaException):
        made.partitions()
    with pytest.raises(KafkaException):
        made.put_signposts(2, [0, 0])
    assert capfd.readouterr().err == ""
