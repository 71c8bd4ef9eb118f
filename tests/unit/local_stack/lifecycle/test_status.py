import json

from local_stack.lifecycle.health import Finding
from local_stack.lifecycle.status import as_json, as_table, combine
from local_stack.services import NAMES
from local_stack.supervisord.client import Seen

RUNNING = {name: Seen("running", 100 + i, 1) for i, name in enumerate(NAMES)}
HEALTHY = dict.fromkeys(NAMES, Finding("healthy"))


def test_running_and_healthy_is_good():
    assert all(status.good for status in combine(RUNNING, HEALTHY))


def test_what_is_not_known_is_stopped():
    first, *_ = combine({}, {})
    assert (first.name, first.state, first.pid, first.health) == ("postgres", "stopped", None, "unhealthy")


def test_degraded_and_unsupervised_are_not_good():
    degraded = combine(RUNNING, HEALTHY | {"producer": Finding("degraded")})
    orphaned = combine(RUNNING | {"relay": Seen("unsupervised", 7, 0)}, HEALTHY)
    assert [status.name for status in degraded if not status.good] == ["producer"]
    assert [status.name for status in orphaned if not status.good] == ["relay"]


def test_json_has_four_fields_for_each_service_in_a_fixed_order():
    rows = json.loads(as_json(combine(RUNNING, HEALTHY)))
    assert [row["name"] for row in rows] == list(NAMES)
    assert rows[0] == {"name": "postgres", "state": "running", "pid": 100, "health": "healthy"}


def test_the_table_has_a_line_for_each_service():
    assert len(as_table(combine(RUNNING, {})).splitlines()) == 1 + len(NAMES)
