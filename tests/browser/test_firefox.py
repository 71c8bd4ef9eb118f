"""The dashboard in Firefox: events, a restart of the server, and tabs that share one stream."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local_stack.services import CONSUMER
from tests.browser.bidi import Bidi, Tab
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import Stack

FIREFOXES = ("firefox-esr", "firefox")
LISTENING = re.compile(r"WebDriver BiDi listening on (ws://[\d.:]+)")
SLOW_S = 60  # Firefox takes its time on a busy machine


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bidi]:
    """A Firefox without windows; without one the tests are skipped, or fail with REQUIRE_FIREFOX=1."""
    path = next(filter(None, map(shutil.which, FIREFOXES)), None)
    if path is None and os.environ.get("REQUIRE_FIREFOX") == "1":
        pytest.fail("REQUIRE_FIREFOX=1, and no Firefox was found")
    if path is None:
        pytest.skip("no Firefox was found")
    folder = tmp_path_factory.mktemp("firefox")
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [path, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0"],
            env=os.environ | {"HOME": str(folder)},  # another's home keeps root's Firefox from starting
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        bidi = Bidi(_address(process, log) + "/session")
        yield bidi
        bidi.close()
    finally:
        process.terminate()
        process.wait(SLOW_S)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    def is_listening() -> bool:
        assert process.poll() is None, log.read_text()
        return LISTENING.search(log.read_text()) is not None

    eventually(is_listening, SLOW_S)
    found = LISTENING.search(log.read_text())
    assert found
    return found[1]


def open_live(firefox: Bidi, stack: Stack) -> Tab:
    """Open the dashboard in a tab of its own and wait until it is live."""
    tab = firefox.open(stack.env["CONSUMER_URL"] + "/")
    eventually(lambda: state(tab) == "live", SLOW_S)
    return tab


def state(tab: Tab) -> object:
    return tab.evaluate("document.getElementById('connection-word').textContent")


def expect_shown(tab: Tab, name: str) -> None:
    """Wait until a tab has one row with a name."""
    tab.bring_to_front()
    rows = "document.getElementById('rows').textContent"
    eventually(lambda: str(tab.evaluate(rows)).count(name) == 1, SLOW_S)


def test_firefox_shows_events_also_those_it_missed_while_the_server_was_away(
    firefox: Bidi, restored_stack: Stack, shop: Shop
) -> None:
    tab = open_live(firefox, restored_stack)
    shop.place(customer_name="Before the restart")
    expect_shown(tab, "Before the restart")
    restored_stack.run("stop", CONSUMER)
    eventually(lambda: state(tab) == "reconnecting", SLOW_S)
    shop.place(customer_name="While it was away")
    restored_stack.run("start", CONSUMER)
    eventually(lambda: state(tab) == "live", SLOW_S)
    expect_shown(tab, "While it was away")
    expect_shown(tab, "Before the restart")
    assert tab.evaluate("document.getElementById('notice').hidden") is True
    tab.close()


def test_tabs_of_firefox_share_one_stream_and_the_next_takes_over(
    firefox: Bidi, running_stack: Stack, shop: Shop
) -> None:
    """Only one tab of a window is visible, and hidden ones draw nothing, so each is brought to the front."""
    tabs = [open_live(firefox, running_stack) for _ in range(3)]
    health = running_stack.env["CONSUMER_URL"] + "/health/ready"
    eventually(lambda: requests.get(health, timeout=10).json()["checks"]["streams"]["open"] == 1, SLOW_S)
    shop.place(customer_name="For all tabs")
    for tab in tabs:
        expect_shown(tab, "For all tabs")
    tabs.pop(0).close()  # it was the first to connect, so it is the holder
    shop.place(customer_name="For the others")
    for tab in tabs:
        expect_shown(tab, "For the others")
        expect_shown(tab, "For all tabs")
        tab.close()
