"""The pages' scripts, run by Node on pages that our own templates have rendered: one test here is one file there.

    .venv/bin/python -m pytest tests/javascript -k gaps

Without Node these tests are skipped; REQUIRE_NODE=1 makes that a failure.
"""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from producer import create_app
from producer.config import Settings
from producer.services import EXTENSION
from tests.project import CONTRACTS, ROOT
from tests.unit.consumer.web.harness import WebHarness as Dashboard
from tests.unit.kafka_ui.web.harness import WebHarness as KafkaUI

HERE = Path(__file__).parent
MODULES = (HERE / "fakes" / "modules.js").as_uri()
FILES = sorted(path.relative_to(HERE).as_posix() for path in HERE.rglob("*.test.js"))
OLDEST = (20, 6)  # the first one with module.register (fakes/modules.js)


@cache
def node_path() -> str:
    """Return the path of a node that is new enough; skip the test, or fail it when REQUIRE_NODE=1, without one."""
    found = shutil.which("node")
    reason = "there is no node"
    if found:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20).stdout
        if tuple(map(int, re.findall(r"\d+", version)[:2])) >= OLDEST:
            return found
        reason = f"node {version.strip()} is too old"
    if os.environ.get("REQUIRE_NODE") == "1":
        pytest.fail(f"REQUIRE_NODE=1, and {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages as browsers get them, from applications without their stores."""
    folder = tmp_path_factory.mktemp("pages")
    shop = create_app(
        Settings(database_url="postgresql://u:p@127.0.0.1:1/d", kafka_bootstrap_servers="127.0.0.1:1")
    )
    for name, path in (("checkout", "/"), ("docs", "/docs")):
        (folder / f"{name}.html").write_text(shop.test_client().get(path).text)
    shop.extensions[EXTENSION].stop()
    dashboard = Dashboard()
    dashboard.read_topic()
    (folder / "dashboard.html").write_text(dashboard.client.get("/").text)
    (folder / "figures-none.html").write_text(dashboard.client.get("/figures").text)
    dashboard.read_figures((CONTRACTS / "order-stats.json").read_bytes())
    (folder / "figures.html").write_text(dashboard.client.get("/figures").text)
    dashboard.close()
    (folder / "messages.html").write_text(KafkaUI().text("/topics/orders/messages"))
    return folder


@pytest.mark.parametrize("file", FILES)
def test_javascript(file: str, pages: Path) -> None:
    done = subprocess.run(
        [node_path(), "--import", MODULES, "--test-reporter=spec", str(HERE / file)],
        cwd=ROOT,
        env=os.environ | {"PAGES": str(pages), "LC_ALL": "en_US.UTF-8", "TZ": "UTC", "NODE_NO_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counted = {
        name: int(number) for name, number in re.findall(r"^. (\w+) (\d+)$", done.stdout, re.MULTILINE)
    }
    assert counted["pass"] == counted["tests"] > 0, done.stdout
