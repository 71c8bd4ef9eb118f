"""Every command of docs/runbook.md is typed by a test, and no test plays a section that is not there."""

import re

import pytest

from tests.compose import test_runbook as in_containers
from tests.e2e import test_runbook, test_runbook_natively
from tests.project import ROOT
from tests.runbook import PAGE, PLAYED, is_shown, sections

MODULES = (
    test_runbook,
    test_runbook_natively,
    in_containers,
)  # imported, so that they have said what they play


def test_every_command_is_typed_in_every_way_by_a_test() -> None:
    assert MODULES
    wanted = {
        (heading, way)
        for heading, steps in sections(PAGE.read_text()).items()
        for step in steps
        for way in step.ways
    }
    played = {(heading, way) for heading, ways in PLAYED.items() for way in ways}
    assert wanted - played == set()
    assert {heading for heading, _ in played - wanted} <= {heading for heading, _ in wanted}


def test_commands_in_the_prose_are_typed_too() -> None:
    """A verb in the text that no block types would be one that nobody has tried."""
    text = PAGE.read_text()
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    verbs = set(re.findall(r"\./start_project\.sh ([a-z]+)", prose))
    typed = {
        verb
        for steps in sections(text).values()
        for step in steps
        for verb in re.findall(r"\./start_project\.sh ([a-z]+)", step.command)
    }
    assert verbs - typed <= {"discard"}, "tests/e2e/test_start_project.py types discard"


def test_links_within_the_page_lead_to_headings() -> None:
    text = PAGE.read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


def test_words_of_the_pages_are_those_of_the_pages() -> None:
    """What the page quotes of the dashboard is in its script."""
    sources = "".join(
        (ROOT / "consumer_service" / "consumer" / "static" / name).read_text()
        for name in ("gaps.js", "connection_state.js", "dashboard.js")
    )
    for quoted in (
        "this page was away for longer than Kafka keeps events.",
        "they arrived faster than this page could receive them.",
        "The server could not tell where this page had left off.",
        "The server is running, but cannot tell whether Kafka has newer events.",
        "No contact with the server. The page keeps trying and will show the events that it missed.",
    ):
        assert quoted in sources
        assert quoted in " ".join(PAGE.read_text().split())


class TestShown:
    def test_lines_are_found_in_order_with_others_between(self) -> None:
        assert is_shown(("a …", "c"), "a 1\nb\nc\n")

    @pytest.mark.parametrize("output", ["c\na 1\n", "a 1\n", "", "a 1\ncc\n"])
    def test_line_that_is_not_there_is_named(self, output: str) -> None:
        with pytest.raises(AssertionError, match="is not in"):
            is_shown(("a …", "c"), output)
