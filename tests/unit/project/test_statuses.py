"""SQL, JSON and the pages repeat the statuses of an order, which `producer.domain.status` defines."""

import json
import re

import pytest

from producer.domain.status import TARGETS, Status
from projector.stats.message import OWN
from tests.project import CONTRACTS, ROOT

STATIC = ROOT / "producer_service" / "producer" / "static"
SCHEMA = json.loads((CONTRACTS / "order-event.schema.json").read_text())


def test_newest_check_in_the_migrations_lists_all_statuses() -> None:
    migrations = sorted((ROOT / "db" / "versions").glob("*.py"))
    upgrades = [path.read_text().partition("def downgrade")[0] for path in migrations]
    checks = re.findall(r"CHECK \(status IN \((.+?)\)\)", "".join(upgrades))
    assert re.findall(r"'(\w+)'", checks[-1]) == list(Status)


def test_figures_never_add_up_a_status_of_an_order() -> None:
    assert set(Status) == OWN


def test_event_schema_lists_all_statuses() -> None:
    assert SCHEMA["$defs"]["order"]["properties"]["status"]["enum"] == list(Status)
    assert SCHEMA["properties"]["type"]["enum"] == [*(f"order.{status}" for status in Status), "test.event"]


@pytest.mark.parametrize("status", Status)
def test_event_schema_ties_each_type_to_its_status(status: Status) -> None:
    """The type is `order.` and the status, and there is an example of each."""
    rules = {
        rule["if"]["properties"]["type"]["const"]: rule["then"]["properties"]["data"]["properties"]["status"][
            "const"
        ]
        for rule in SCHEMA["else"]["allOf"]
    }
    assert rules[f"order.{status}"] == status
    assert (CONTRACTS / "examples" / f"order.{status}.json").is_file()


def test_stylesheet_styles_known_statuses_only() -> None:
    """A status without a rule has the look of `placed`, which needs none."""
    styled = re.findall(r'\[data-status="(\w+)"\]', (STATIC / "pages.css").read_text())
    assert styled
    assert set(styled) <= set(Status) - {Status.PLACED}


def test_checkout_page_has_a_label_for_every_transition() -> None:
    (labels,) = re.findall(r"const LABELS = \{(.+?)\}", (STATIC / "lifecycle.js").read_text(), re.DOTALL)
    assert set(re.findall(r"(\w+):", labels)) == set(TARGETS)


def test_scripts_compare_with_known_statuses_only() -> None:
    """The button that cancels looks different; the API page's example is an order that can be confirmed."""
    compared = re.findall(r'target === "(\w+)"', (STATIC / "order_row.js").read_text())
    requested = re.findall(r"[?&]status=(\w+)", (STATIC / "docs.js").read_text())
    assert (compared, requested) == ([Status.CANCELLED], [Status.PLACED])


@pytest.mark.parametrize("name", ["dashboard.css", "table.js", "dashboard.js"])
def test_dashboard_lists_no_statuses(name: str) -> None:
    text = (ROOT / "consumer_service" / "consumer" / "static" / name).read_text()
    words = {status for status in Status if re.search(rf"\b{status}\b", text)}
    assert words <= {Status.PLACED}  # `order.placed` begins the latency that the dashboard shows
