import pytest

from projector.openapi.document import document
from tests.described_api import DescribedApi
from tests.unit.projector.web.harness import WebHarness


@pytest.fixture
def web() -> WebHarness:
    return WebHarness()


@pytest.fixture
def described() -> DescribedApi:
    return DescribedApi(document()).close()
