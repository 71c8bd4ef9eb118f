"""Kafka Connect's connectors, where there is a Connect: over its own REST interface."""

import json
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

ANSWER_S = 0.8
MOST_BYTES = 1 << 20


class Connector(NamedTuple):
    """A connector. tasks: the state of each; trace: the first line of why it failed, or ""."""

    name: str
    state: str
    tasks: tuple[str, ...]
    trace: str


def connectors(url: str) -> list[Connector] | None:
    """Return the connectors by name, or None when Connect does not answer in time. url: its address."""
    opener = build_opener(
        ProxyHandler({})
    )  # whatever proxy the user has set is not for this machine's own address
    try:
        with opener.open(f"{url.rstrip('/')}/connectors?expand=status", timeout=ANSWER_S) as reply:
            found = json.loads(reply.read(MOST_BYTES))
        return [_connector(name, each["status"]) for name, each in sorted(found.items())]
    except (URLError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _connector(name: str, status: dict[str, Any]) -> Connector:
    tasks = status["tasks"]
    trace = next((str(each["trace"]) for each in [status["connector"], *tasks] if each.get("trace")), "")
    states = tuple(str(each["state"]).lower() for each in tasks)
    return Connector(name, str(status["connector"]["state"]).lower(), states, trace.partition("\n")[0][:300])
