from typing import Any

import pytest
from pydantic import ValidationError

from projector.config import Settings


def settings(**changes: Any) -> Settings:
    return Settings(database_url="postgresql://u@h/d", kafka_bootstrap_servers="h:1", **changes)


def test_figures_have_a_topic_of_their_own_by_default() -> None:
    assert settings().kafka_stats_topic == "order-stats"


@pytest.mark.parametrize("name", ["orders", "orders.dlq"])
def test_figures_are_not_published_among_events(name: str) -> None:
    with pytest.raises(ValidationError, match="a topic of its own"):
        settings(kafka_stats_topic=name)
