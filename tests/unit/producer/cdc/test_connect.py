"""The client of Connect's REST interface, on an HTTP server that answers as Connect does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from producer.cdc.connect import Connect, ConnectorState, ConnectUnavailable

UNKNOWN = (404, {"error_code": 404, "message": "Connector outbox not found"})
TRACE = """org.apache.kafka.connect.errors.ConnectException: An exception occurred
\tat io.debezium.pipeline.ErrorHandler.setProducerThrowable(ErrorHandler.java:85)
Caused by: io.debezium.DebeziumException: the slot is gone
\tat io.debezium.Something(Something.java:1)
Caused by: org.postgresql.util.PSQLException: ERROR: replication slot "outbox" does not exist
\tat org.postgresql.Core(Core.java:1)
"""


class Answers:
    """What the server answers, by method and path, and what it was asked."""

    def __init__(self) -> None:
        self.of: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, Any]] = []


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def connect(answers: Answers) -> Iterator[Connect]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            question = f"{self.command} {self.path}"
            answers.asked.append((question, json.loads(body) if body else None))
            status, content = answers.of.get(question, UNKNOWN)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"" if content is None else json.dumps(content).encode())

        do_GET = do_PUT = do_POST = do_DELETE = _answer

        def log_message(self, format: str, *values: Any) -> None:
            """Be quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Connect(f"http://127.0.0.1:{server.server_port}/", "outbox")
        server.shutdown()
        thread.join(10)


def test_unknown_connector_has_no_configuration_and_no_state(connect: Connect) -> None:
    assert connect.config() is None
    assert connect.state() is None


def test_configuration_is_read_and_written_as_it_is(connect: Connect, answers: Answers) -> None:
    config = {"name": "outbox", "poll.interval.ms": "10"}
    answers.of["GET /connectors/outbox/config"] = (200, config)
    answers.of["PUT /connectors/outbox/config"] = (201, {"name": "outbox"})
    assert connect.config() == config
    connect.configure(config)
    assert answers.asked[-1] == ("PUT /connectors/outbox/config", config)


def test_state_has_the_innermost_reason_of_a_failed_task(connect: Connect, answers: Answers) -> None:
    answers.of["GET /connectors/outbox/status"] = (
        200,
        {"connector": {"state": "RUNNING"}, "tasks": [{"id": 0, "state": "FAILED", "trace": TRACE}]},
    )
    state = connect.state()
    reason = 'org.postgresql.util.PSQLException: ERROR: replication slot "outbox" does not exist'
    assert state == ConnectorState("running", ("failed",), reason)
    assert state.is_failed


def test_commands_are_those_of_connect(connect: Connect, answers: Answers) -> None:
    for question in (
        "POST /connectors/outbox/restart?includeTasks=true&onlyFailed=true",
        "POST /connectors/outbox/restart?includeTasks=true&onlyFailed=false",
        "PUT /connectors/outbox/stop",
        "PUT /connectors/outbox/resume",
        "DELETE /connectors/outbox/offsets",
        "GET /health",
    ):
        answers.of[question] = (202, None)
    connect.restart(only_failed=True)
    connect.restart(only_failed=False)
    connect.stop()
    connect.resume()
    connect.forget_place()
    connect.require_started()
    assert [question for question, _ in answers.asked] == list(answers.of)


def test_connect_that_starts_does_not_know_its_connectors_yet(connect: Connect, answers: Answers) -> None:
    answers.of["GET /health"] = (503, {"status": "starting", "message": "Worker is still starting up"})
    with pytest.raises(ConnectUnavailable, match="503 Worker is still starting up"):
        connect.require_started()


def test_place_is_how_far_the_log_was_read(connect: Connect, answers: Answers) -> None:
    offset = {"partition": {"server": "orders"}, "offset": {"lsn": 32701104, "txId": 766}}
    answers.of["GET /connectors/outbox/offsets"] = (200, {"offsets": [offset]})
    assert connect.place() == 32701104
    answers.of["GET /connectors/outbox/offsets"] = (200, {"offsets": []})
    assert connect.place() is None


def test_place_that_the_log_does_not_have_is_told_from_other_failures(
    connect: Connect, answers: Answers
) -> None:
    trace = "io.debezium.DebeziumException: The connector is trying …, but this is no longer available on the server."
    status = {"connector": {"state": "RUNNING"}, "tasks": [{"id": 0, "state": "FAILED", "trace": trace}]}
    answers.of["GET /connectors/outbox/status"] = (200, status)
    state = connect.state()
    assert state
    assert state.has_lost_its_place


def test_refusal_says_what_connect_says(connect: Connect, answers: Answers) -> None:
    answers.of["PUT /connectors/outbox/config"] = (409, {"message": "a rebalance\nis in progress"})
    refusal = pytest.raises(
        ConnectUnavailable, match="refuses PUT /connectors/outbox/config: 409 a rebalance is"
    )
    with refusal:
        connect.configure({})


def test_connect_that_is_not_there_is_named() -> None:
    with pytest.raises(ConnectUnavailable, match=r"does not answer at http://127\.0\.0\.1:1: .*refused"):
        Connect("http://127.0.0.1:1", "outbox").config()


def test_answer_that_is_no_json_is_no_answer(connect: Connect, answers: Answers) -> None:
    answers.of["GET /connectors/outbox/config"] = (200, None)
    assert connect.config() is None
