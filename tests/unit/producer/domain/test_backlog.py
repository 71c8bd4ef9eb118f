import pytest

from producer.domain.backlog import Backlog, BacklogLimit

LIMIT = BacklogLimit(rows=100, age_s=60)


@pytest.mark.parametrize(
    ("backlog", "exceeds"),
    [
        (Backlog(rows=0, oldest_s=None), False),
        (Backlog(rows=100, oldest_s=60), False),
        (Backlog(rows=101, oldest_s=None), True),
        (Backlog(rows=1, oldest_s=60.001), True),
    ],
)
def test_backlog_exceeds_its_limit_by_rows_or_by_age(backlog: Backlog, exceeds: bool) -> None:
    assert backlog.exceeds(LIMIT) is exceeds
