"""Kafka Connect's REST interface, as far as the keeper needs it."""

import json
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

ANSWER_S = 5.0
NOT_FOUND = 404
# What Debezium says when the slot begins behind the place that Connect remembers.
PLACE_LOST = "no longer available on the server"


class ConnectUnavailable(Exception):
    """Kafka Connect does not answer, or refuses; the message says which."""


@dataclass(frozen=True)
class ConnectorState:
    """What Kafka Connect says of the connector. It may be of before a restart: the slot knows better who reads.

    state: running, stopped, paused, failed, unassigned…; tasks: the state of each; reason: why one failed, or "".
    has_lost_its_place: PostgreSQL does not have any more what the connector wants to read next.
    """

    state: str
    tasks: tuple[str, ...] = ()
    reason: str = ""
    has_lost_its_place: bool = False

    @property
    def is_failed(self) -> bool:
        return "failed" in (self.state, *self.tasks)


class Connect:
    """One connector of the Kafka Connect at `url`. Every method raises ConnectUnavailable."""

    def __init__(self, url: str, connector: str):
        self._url, self._path = url.rstrip("/"), f"/connectors/{connector}"
        # Whatever proxy the user has set is not for a service of the stack.
        self._opener = build_opener(ProxyHandler({}))

    def require_started(self) -> None:
        """Raise unless Connect knows its connectors: while it starts, there seem to be none."""
        self._ask("GET", "/health")

    def config(self) -> dict[str, str] | None:
        """Return the connector's configuration, or None when there is no such connector."""
        found: dict[str, str] | None = self._ask("GET", f"{self._path}/config")
        return found

    def configure(self, config: dict[str, str]) -> None:
        """Create the connector, or give it another configuration, with which it starts again."""
        self._ask("PUT", f"{self._path}/config", config)

    def state(self) -> ConnectorState | None:
        """Return how the connector is, or None when there is none."""
        status = self._ask("GET", f"{self._path}/status")
        if status is None:
            return None
        parts = [status["connector"], *status["tasks"]]
        trace = next((str(part["trace"]) for part in parts if part.get("trace")), "")
        tasks = tuple(str(task["state"]).lower() for task in status["tasks"])
        state = str(status["connector"]["state"]).lower()
        return ConnectorState(state, tasks, _reason(trace), PLACE_LOST in trace)

    def restart(self, only_failed: bool) -> None:
        """Start the connector and its tasks again."""
        flag = "true" if only_failed else "false"
        self._ask("POST", f"{self._path}/restart?includeTasks=true&onlyFailed={flag}")

    def stop(self) -> None:
        """End the connector's tasks; it stays known."""
        self._ask("PUT", f"{self._path}/stop")

    def resume(self) -> None:
        """Start a stopped connector."""
        self._ask("PUT", f"{self._path}/resume")

    def place(self) -> int | None:
        """Return how far the connector has read PostgreSQL's log, as Connect remembers it, or None."""
        found = self._ask("GET", f"{self._path}/offsets")
        places = [each["offset"]["lsn"] for each in (found or {}).get("offsets", []) if each.get("offset")]
        return max(places, default=None)

    def forget_place(self) -> None:
        """Forget how far a stopped connector has read."""
        self._ask("DELETE", f"{self._path}/offsets")

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer, or None for an unknown connector."""
        request = Request(
            f"{self._url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=ANSWER_S) as reply:
                return json.loads(reply.read() or b"null")
        except HTTPError as error:
            if error.code == NOT_FOUND:
                return None
            said = _message(error.read())
            raise ConnectUnavailable(f"Kafka Connect refuses {method} {path}: {error.code} {said}") from error
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise ConnectUnavailable(f"Kafka Connect does not answer at {self._url}: {reason}") from error


def _message(body: bytes) -> str:
    try:
        return " ".join(str(json.loads(body)["message"]).split())[:300]
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:300]


def _reason(trace: str) -> str:
    """Return the innermost cause of a stack trace, which is the one that tells what to do."""
    causes = [line for line in trace.splitlines() if line.startswith("Caused by: ")]
    return (causes[-1].removeprefix("Caused by: ") if causes else trace.partition("\n")[0])[:300]
