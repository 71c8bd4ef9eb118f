"""What docs/runbook.md says for containers only."""

from tests.compose.stack import ComposeStack
from tests.e2e.customer import Customer
from tests.e2e.viewer import OpenViewer
from tests.eventually import eventually
from tests.runbook import Operator, plays
from tests.shop import Shop


@plays("A new version of this project", "docker")
def test_new_version_refuses_no_order(
    operator: Operator, project: ComposeStack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    new = project.folder / "producer_service" / "producer" / "more.py"
    with Customer(shop) as customer:
        customer.place_more(20)
        new.write_text("")
        operator.play("A new version of this project")
        customer.place_more(20)
    new.unlink()
    eventually(lambda: viewer.has_seen(customer.acknowledged), within=60)
    assert "more.py" in project.compose("exec", "-T", "--index", "2", "producer", "ls", "/app/producer")
    assert customer.refused == []
