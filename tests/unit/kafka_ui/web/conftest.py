import pytest

from tests.unit.kafka_ui.web.harness import WebHarness


@pytest.fixture
def web() -> WebHarness:
    return WebHarness()
