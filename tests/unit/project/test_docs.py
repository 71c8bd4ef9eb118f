"""What no reader would tell us: pages that a merge has left half done, and decisions that no list leads to."""

import re
from pathlib import Path

import pytest

from tests.project import ROOT

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("deploy/*/README.md"),
    ]
)
DECISIONS = ROOT / "docs" / "adr"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_merge_is_left_half_done(page: Path) -> None:
    assert not re.findall(r"^(?:<{7} .*|={7}|>{7} .*)$", page.read_text(), re.MULTILINE)


def test_every_decision_is_listed_once_and_in_order() -> None:
    listed = re.findall(
        r"^\| \[\d+\]\((\d{4}-.+\.md)\) \|", (DECISIONS / "README.md").read_text(), re.MULTILINE
    )
    assert listed == sorted(path.name for path in DECISIONS.glob("0*.md"))
