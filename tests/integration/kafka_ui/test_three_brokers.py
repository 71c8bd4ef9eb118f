"""Kafka UI under gunicorn on three real brokers, one of which is stopped or frozen."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.eventually import eventually
from tests.project import ROOT
from tests.stack import Stack

PAGE_S = 2.0
"""What a page may take while a broker hangs. What the test's own request takes comes on top of it."""
SLACK_S = 1.0
BROKER = "kafka-2"


class KafkaUI:
    """`gunicorn kafka_ui:create_app()` as a process."""

    def __init__(self, kafka: str, topic: str, log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url, self._log = f"http://127.0.0.1:{port}", log
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "kafka_ui:create_app()"]
        environment = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": kafka, "KAFKA_TOPIC": topic}
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT / "kafka_page", env=environment, stdout=out, stderr=out
            )
        eventually(self.is_ready)

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5).ok
        except requests.ConnectionError:
            return False

    def page(self, path: str) -> str:
        """Return the text of a page without its markup. Raises AssertionError when it is late or no page."""
        began = time.monotonic()
        response = requests.get(self.url + path, timeout=10)
        assert response.status_code == 200, response.text
        assert time.monotonic() - began < PAGE_S + SLACK_S, path
        return " ".join(re.sub("<[^>]+>", " ", response.text).split())

    def has(self, path: str, text: str) -> bool:
        page = self.page(path)
        assert text in page, page
        return True


@pytest.fixture
def ui_topic(kafka: str) -> Iterator[str]:
    """A topic with 30 messages: 10 versions of each of three orders."""
    name = f"seen-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    new = NewTopic(name, 3, 3, config={"min.insync.replicas": "2"})
    admin.create_topics([new], operation_timeout=10)[name].result(15)
    producer = Producer(
        {
            "bootstrap.servers": kafka,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "log_level": 0,
        }
    )
    for version in range(10):
        for order in ("a", "b", "c"):
            producer.produce(
                name, key=order, value=f'{{"version":{version}}}', headers={"id": f"{order}{version}"}
            )
    assert producer.flush(15) == 0
    yield name
    admin.delete_topics([name], operation_timeout=10)[name].result(15)


@pytest.fixture
def kafka_ui(kafka: str, ui_topic: str, tmp_path: Path) -> Iterator[KafkaUI]:
    ui = KafkaUI(kafka, ui_topic, tmp_path / "kafka-ui.log")
    yield ui
    if ui.process.poll() is None:
        ui.process.kill()
        ui.process.wait()


@pytest.fixture
def broken_stack(stack: Stack, ui_topic: str) -> Iterator[Stack]:
    """The stack for tests that stop a broker. It is started again before the topic is deleted."""
    yield stack
    stack.run("start", BROKER)


def test_messages_offsets_and_sizes_are_those_of_the_brokers(kafka_ui: KafkaUI, ui_topic: str) -> None:
    topics = kafka_ui.page("/topics")
    assert re.search(rf"{ui_topic} 3 3 all 30 ", topics), topics
    partitions = kafka_ui.page(f"/topics/{ui_topic}")
    assert "min.insync.replicas 2" in partitions
    assert "unknown" not in partitions
    newest = requests.get(f"{kafka_ui.url}/topics/{ui_topic}/messages?limit=7", timeout=10).text
    assert newest.count('<li class="panel message">') == 7
    of_a = kafka_ui.page(f"/topics/{ui_topic}/messages?key=a")
    assert re.findall(r'"version": (\d+)', of_a.replace("&#34;", '"'))[::2] == [
        str(each) for each in range(10)
    ]


def test_group_is_shown_with_its_lag_in_messages_and_seconds(
    kafka: str, kafka_ui: KafkaUI, ui_topic: str
) -> None:
    settings = {"bootstrap.servers": kafka, "group.id": f"group-{ui_topic}", "auto.offset.reset": "earliest"}
    reader = Consumer(settings | {"client.id": "projector-1", "enable.auto.commit": False})
    reader.subscribe([ui_topic])
    message = eventually(lambda: reader.poll(1))
    assert message is not None
    reader.commit(message=message, asynchronous=False)
    eventually(lambda: kafka_ui.has("/groups", "projector-1 at 127.0.0.1 reads 3 partitions"))
    page = kafka_ui.page("/groups")
    committed, behind = re.findall(rf"{ui_topic} \d projector-1 (\d+) (\d+) \d+ s", page)[0]
    assert int(committed) == 1
    assert int(behind) in (9, 19, 29)
    reader.close()


def test_stopped_broker_is_told_and_everything_can_be_read(
    broken_stack: Stack, kafka_ui: KafkaUI, ui_topic: str
) -> None:
    kafka_ui.page("/")
    broken_stack.run("stop", BROKER)
    eventually(lambda: kafka_ui.has("/", f"{BROKER} is away: 3 of 3 partitions have 2 of 3 replicas"))
    eventually(lambda: "unknown" not in kafka_ui.page(f"/topics/{ui_topic}"))
    assert '"version": 9' in kafka_ui.page(f"/topics/{ui_topic}/messages").replace("&#34;", '"')


def test_frozen_broker_costs_a_page_two_seconds_at_most(
    broken_stack: Stack, kafka_ui: KafkaUI, ui_topic: str
) -> None:
    paths = ("/", "/topics", f"/topics/{ui_topic}", f"/topics/{ui_topic}/messages", "/groups")
    for path in paths:
        kafka_ui.page(path)
    broker = psutil.Process(int(broken_stack.services()[BROKER]["pid"]))
    broker.suspend()
    try:
        eventually(lambda: BROKER in kafka_ui.page("/").partition("Brokers")[0])
        for path in paths * 2:
            kafka_ui.page(path)
        eventually(lambda: kafka_ui.has("/", f"{BROKER} is away"))
        eventually(lambda: "unknown" not in kafka_ui.page(f"/topics/{ui_topic}"))
    finally:
        broker.resume()


def test_tail_shows_what_comes_in_and_ends_with_the_process(
    kafka: str, kafka_ui: KafkaUI, ui_topic: str
) -> None:
    response = requests.get(f"{kafka_ui.url}/topics/{ui_topic}/tail", stream=True, timeout=15)
    lines = response.iter_lines(decode_unicode=True)
    assert next(line for line in lines if line.startswith("event:")) == "event: status"
    producer = Producer({"bootstrap.servers": kafka, "log_level": 0})
    producer.produce(ui_topic, value="it came in live")
    producer.flush(15)
    assert "it came in live" in next(line for line in lines if "message" in line and line.startswith("data:"))
    began = time.monotonic()
    kafka_ui.process.send_signal(signal.SIGTERM)
    assert kafka_ui.process.wait(10) == 0
    assert time.monotonic() - began < 4


def test_place_of_a_viewer_who_has_gone_is_free_again(kafka_ui: KafkaUI, ui_topic: str) -> None:
    """Six in turn, and there is room for four at once."""
    for _ in range(6):

        def opens() -> bool:
            with requests.get(f"{kafka_ui.url}/topics/{ui_topic}/tail", stream=True, timeout=15) as response:
                lines = response.iter_lines(decode_unicode=True)
                return "event: status" in next(line for line in lines if line.startswith("event:"))

        eventually(opens)
