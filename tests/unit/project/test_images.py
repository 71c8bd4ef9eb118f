"""The images that we build: checked packages, and no root."""

import re

import pytest

from tests.project import ROOT

PYTHON = ("producer_service", "consumer_service", "projector_service", "db")


@pytest.mark.parametrize("folder", PYTHON)
def test_packages_of_an_image_are_checked_against_their_hashes(folder: str) -> None:
    text = (ROOT / folder / "Dockerfile").read_text()
    (install,) = re.findall(r"pip install ([^\\\n]*)", text)
    assert install.strip() == "--require-hashes --only-binary :all: --requirement /requirements.txt"


@pytest.mark.parametrize("folder", [*PYTHON, "local_stack", "tests"])
def test_every_package_is_pinned_with_hashes(folder: str) -> None:
    text = (ROOT / folder / "requirements.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(lines) > 5
    for line in lines:
        assert re.match(r"[a-z0-9.\[\]-]+==\S+ ", line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line


def test_packages_of_the_tests_are_checked_against_their_hashes() -> None:
    assert "pip install --quiet --require-hashes " in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    ("folder", "user"),
    [*((folder, "10001:10001") for folder in PYTHON), ("deploy/gateway", "101:101")],
)
def test_image_does_not_run_as_root(folder: str, user: str) -> None:
    text = (ROOT / folder / "Dockerfile").read_text()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == [user]


@pytest.mark.parametrize("folder", PYTHON[:3])
def test_image_brings_its_health_check(folder: str) -> None:
    text = (ROOT / folder / "Dockerfile").read_text()
    assert 'HEALTHCHECK --timeout=5s CMD ["python", "healthcheck.py"]' in text
