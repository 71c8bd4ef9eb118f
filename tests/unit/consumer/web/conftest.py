from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.unit.consumer.web.harness import WebHarness


@pytest.fixture
def web() -> Iterator[WebHarness]:
    with closing(WebHarness()) as harness:
        yield harness
