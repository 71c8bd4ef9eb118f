"""Chromium, by the DevTools Protocol."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.browser.real_browser import WATCH, RealBrowser, Tab, find, started
from tests.browser.remote import Remote

# Debian's headless shell is the same browser without windows; it takes two thirds of the CPU.
CHROMIUMS = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome", "google-chrome-stable"),
)
# Chromium must not talk to the servers of its vendor during a test.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LISTENING = re.compile(r"DevTools listening on (ws://\S+)")


class Chromium(RealBrowser):
    def __init__(self, process: psutil.Process, remote: Remote) -> None:
        super().__init__(process)
        self._remote = remote

    def open(self, url: str, script: str = "") -> Tab:
        target = self._remote.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._remote.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = ChromiumTab(self._remote, target, attached["sessionId"])
        tab.call("Page.enable")
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH + script)
        tab.navigate(url)
        return tab


class ChromiumTab(Tab):
    def __init__(self, remote: Remote, target: str, session: str) -> None:
        self._remote = remote
        self._target = target
        self._session = session

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def navigate(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href === {url!r} && document.readyState", "complete")

    def bring_to_front(self) -> None:
        self.call("Page.bringToFront")

    def close(self) -> None:
        self._remote.call("Target.closeTarget", {"targetId": self._target})

    def call(self, method: str, **params: object) -> Any:
        """Call a command on this tab and return its result."""
        return self._remote.call(method, params, sessionId=self._session)


def chromium_path() -> str:
    """Return the path of a chromium; skip the test, or fail it when REQUIRE_BROWSER=1, if there is none."""
    found = os.environ.get("BROWSER") or find(CHROMIUMS)
    if found is None and os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail("REQUIRE_BROWSER=1, and no chromium was found")
    if found is None:
        pytest.skip("no chromium was found")
    return found


@contextmanager
def started_chromium(folder: Path) -> Iterator[RealBrowser]:
    """Start a Chromium, with a profile of its own."""
    port = "--remote-debugging-port=0"
    command = [chromium_path(), *QUIET, "--headless", port, f"--user-data-dir={folder}", "about:blank"]
    with started(command, folder, LISTENING) as (process, address):
        remote = Remote(address)
        yield Chromium(process, remote)
        remote.close()
