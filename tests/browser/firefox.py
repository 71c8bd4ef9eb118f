"""Firefox, by WebDriver BiDi."""

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

FIREFOXES = ("firefox-esr", "firefox")
LISTENING = re.compile(r"WebDriver BiDi listening on (ws://[\d.:]+)")


class Firefox(RealBrowser):
    def __init__(self, process: psutil.Process, remote: Remote) -> None:
        super().__init__(process)
        self._remote = remote
        remote.call("session.new", {"capabilities": {}})

    def open(self, url: str, script: str = "") -> Tab:
        context = self._remote.call("browsingContext.create", {"type": "tab"})["context"]
        declaration = f"() => {{ {WATCH} {script} }}"
        self._remote.call(
            "script.addPreloadScript", {"functionDeclaration": declaration, "contexts": [context]}
        )
        tab = FirefoxTab(self._remote, context)
        tab.navigate(url)
        return tab


class FirefoxTab(Tab):
    def __init__(self, remote: Remote, context: str) -> None:
        self._remote = remote
        self._context = context

    def evaluate(self, expression: str) -> Any:
        params = {"expression": expression, "target": {"context": self._context}, "awaitPromise": True}
        answer = self._remote.call("script.evaluate", params)
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    def navigate(self, url: str) -> None:
        self._call("navigate", url=url, wait="complete")

    def bring_to_front(self) -> None:
        self._call("activate")

    def close(self) -> None:
        self._call("close")

    def _call(self, command: str, **params: object) -> None:
        self._remote.call(f"browsingContext.{command}", {"context": self._context, **params})


@contextmanager
def started_firefox(folder: Path) -> Iterator[RealBrowser]:
    """Start a Firefox; without one the test is skipped, or fails with REQUIRE_FIREFOX=1."""
    path = find(FIREFOXES)
    if path is None and os.environ.get("REQUIRE_FIREFOX") == "1":
        pytest.fail("REQUIRE_FIREFOX=1, and no Firefox was found")
    if path is None:
        pytest.skip("no Firefox was found")
    command: list[str | Path] = [
        path,
        "--headless",
        "--no-remote",
        "--profile",
        folder,
        "--remote-debugging-port",
        "0",
    ]
    with started(command, folder, LISTENING) as (process, address):
        remote = Remote(address + "/session")
        yield Firefox(process, remote)
        remote.close()
