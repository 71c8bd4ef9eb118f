"""Failures under load: `make chaos`. -m quick: about two minutes. --table: write the table of docs/delivery.md.

--zookeeper: those of Kafka with ZooKeeper instead, whose table is in docs/zookeeper.md."""

import os
from collections.abc import Generator, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.chromium import QUIET, chromium_path
from tests.chaos import table
from tests.chaos.observers import REMEMBER_ROWS, Dashboard
from tests.chaos.proxied_stack import ProxiedStack
from tests.chaos.table import Row
from tests.chaos.trial import Trial
from tests.project import ROOT

ROWS = pytest.StashKey[list[Row]]()
WITH_ZOOKEEPER = ("test_zookeeper.py", "test_migration.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", action="store_true", help="write the table in docs/delivery.md")
    parser.addoption("--zookeeper", action="store_true", help="the faults of Kafka with ZooKeeper instead")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "quick: one of the faults that every change is tried with")
    config.stash[ROWS] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect either those of Kafka with ZooKeeper or all others: each have a stack of their own."""
    wanted = bool(config.getoption("--zookeeper"))
    here = [item for item in items if "tests/chaos" in item.path.as_posix()]
    others = [item for item in here if (item.path.name in WITH_ZOOKEEPER) != wanted]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def trial() -> Iterator[Trial]:
    """The whole native stack under load, with a browser open all the while."""
    with (
        ProxiedStack.started() as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium_path(), args=QUIET) as browser,
    ):
        page = browser.new_page()
        page.add_init_script(REMEMBER_ROWS)
        page.goto(stack.env["CONSUMER_URL"])
        with Trial.started(stack, Dashboard(page)) as trial:
            yield trial


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Where a test puts its row of the table."""
    rows = request.config.stash[ROWS]
    before = len(rows)
    yield rows
    for row in rows[before:]:
        print(f"\n{row}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say at once what failed: the run goes on for a quarter of an hour."""
    report = yield
    if call.excinfo is not None and report.failed:
        print(f"\nFAILED {report.nodeid}: {call.excinfo.value}")
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    rows = session.config.stash.get(ROWS, [])
    if rows and session.config.getoption("--table"):
        note = (
            f"Each row is from the last run of its fault; the latest was on {datetime.now(UTC):%Y-%m-%d}, "
            f"{os.cpu_count()} cores."
        )
        page = "zookeeper.md" if session.config.getoption("--zookeeper") else "delivery.md"
        table.write(ROOT / "docs" / page, rows, note)
