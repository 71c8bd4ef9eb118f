"""What docs/runbook.md says for the native stack only."""

import socket
import subprocess
from pathlib import Path

import pytest

from local_stack.services import PRODUCER
from tests.compose.stack import free_ports
from tests.e2e.customer import Customer
from tests.e2e.viewer import OpenViewer
from tests.eventually import eventually
from tests.runbook import Operator, plays
from tests.shop import Shop
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("restored_stack")


@pytest.fixture(autouse=True)
def only_natively(operator: Operator) -> None:
    if operator.way != "native":
        pytest.skip("for the native stack")


@plays("A service does not stay up", "native")
def test_release_whose_relay_does_not_start(operator: Operator) -> None:
    """The operator's folder is a clone of git's, and the release in it is broken."""
    broken = Path(operator.folder, "producer_service", "producer", "relay", "__main__.py")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(operator.folder))
    for command in (("init", "--quiet"), ("add", "producer_service"), ("commit", "--quiet", "-m", "good")):
        subprocess.run([*git, *command], check=True, capture_output=True)
    broken.write_text("raise RuntimeError('a release that was not tried')\n")
    operator.play("A service does not stay up")


@plays("A port is taken", "native")
def test_port_is_taken(operator: Operator, running_stack: Stack) -> None:
    running_stack.run("stop", PRODUCER)
    (free,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        operator.play("A port is taken", TAKEN=str(taken), FREE=str(free))


@plays("A new version of this project", "native")
def test_new_version_refuses_no_order(operator: Operator, shop: Shop, open_viewer: OpenViewer) -> None:
    viewer = open_viewer()
    with Customer(shop) as customer:
        customer.place_more(20)
        Path(operator.folder, "producer_service", "producer", "more.py").write_text("")
        operator.play("A new version of this project")
        customer.place_more(20)
    assert customer.refused == []
    eventually(lambda: viewer.has_seen(customer.acknowledged), within=60)
    assert not viewer.gaps()
