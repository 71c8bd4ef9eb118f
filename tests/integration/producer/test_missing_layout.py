"""Somebody has deleted the row that says by how many partitions events are published: they wait, and none is lost."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from producer.domain.layout import NoLayout
from producer.publishing.layout_change import LayoutChange
from producer.relay.outbox import Outbox
from tests.eventually import eventually
from tests.integration.producer.conftest import Execute, Place, Scalar, StartRelay, TopicMessages, grant_roles
from tests.integration.producer.test_growth import change, confirm
from tests.shop import ORDER

__all__ = ["change"]


@pytest.fixture
def no_layout(place: Place, execute: Execute) -> str:
    """The id of an order that was placed before the row was deleted."""
    order_id = place()
    execute("DELETE FROM layout")
    return order_id


def test_orders_are_taken_and_nothing_is_published(
    no_layout: str, api: FlaskClient, place: Place, execute: Execute, scalar: Scalar, outbox: Outbox
) -> None:
    place()
    assert api.post("/orders/batch", json={"orders": [ORDER, ORDER]}).status_code == 201
    confirm(api, no_layout)
    assert scalar("SELECT count(*) FROM outbox") == 5
    assert scalar("SELECT count(*) FROM outbox WHERE direct") == 1  # of before
    execute("UPDATE outbox SET due_at = now()")
    assert outbox.claim(10) == ([], 0)
    with pytest.raises(NoLayout):
        outbox.has_due()
    assert scalar("SELECT max(attempts) FROM outbox") == 0
    execute("INSERT INTO layout DEFAULT VALUES")
    assert len(outbox.claim(10)[0]) == 4  # and the later version of the first order behind it


def test_topic_is_not_grown(no_layout: str, change: LayoutChange) -> None:
    with pytest.raises(NoLayout):
        change.partitions()


def test_relay_says_so_and_publishes_once_a_start_has_put_the_row_back(
    no_layout: str,
    database_url: str,
    execute: Execute,
    scalar: Scalar,
    start_relay: StartRelay,
    topic_messages: TopicMessages,
    tmp_path: Path,
) -> None:
    execute("UPDATE outbox SET due_at = now(), direct = false")
    relay = start_relay()
    log = tmp_path / "relay.log"
    eventually(lambda: "Nothing is published: The table layout has lost its row" in log.read_text(), 30)
    assert relay.poll() is None
    assert scalar("SELECT count(*) FROM outbox") == 1
    for _ in range(2):
        grant_roles(database_url, tmp_path / "no secrets")
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, 30)
    assert len(topic_messages(1)) == 1
