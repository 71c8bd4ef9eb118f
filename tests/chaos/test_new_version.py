"""A new version is started over an old one that runs, under load: with its migrations, in its folder, as `git pull`
does. From another folder a web server that is reloaded would take the old code again."""

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from tests.chaos.proxied_stack import ProxiedStack
from tests.chaos.table import Row
from tests.chaos.trial import Fault, Trial
from tests.project import ROOT
from tests.stack import clone


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, timeout=60).stdout


def old_version() -> str | None:
    """Return the last commit before the newest migration was added; None where there is no such history."""
    added = _git("log", "--diff-filter=A", "--format=%H", "-1", "--", "db/versions").decode().strip()
    return _git("rev-parse", "--verify", "--quiet", f"{added}~1").decode().strip() or None if added else None


class Upgraded(ProxiedStack):
    """A stack without proxies, as the old version does not know them. tree: whose code its commands run."""

    tree = ROOT
    servers = ()

    @property
    def folder(self) -> Path:
        return self.tree

    @property
    def command(self) -> Sequence[str]:
        return [super().command[0], "-m", "local_stack", "--home", str(self.home)]


def upgrade(stack: Upgraded) -> Fault:
    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        clone(stack.tree)
        stack.run("start")
        trial.urls[:] = [stack.env["PRODUCER_URL"]]
        yield

    return Fault("a new version started over an old one", inject, 60)


@pytest.mark.timeout(400)
def test_new_version_is_started_over_an_old_one(record: list[Row]) -> None:
    commit = old_version()
    if commit is None:
        pytest.skip("no history with an older version here")
    with tempfile.TemporaryDirectory(prefix="order-stream-old-") as folder:
        with tarfile.open(fileobj=BytesIO(_git("archive", commit))) as archive:
            archive.extractall(folder, filter="data")
        Upgraded.tree = Path(folder)
        with Upgraded.started() as stack, Trial.started(stack) as trial:
            record.append(trial.run(upgrade(stack)))
