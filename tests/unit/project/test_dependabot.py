""".github/dependabot.yml watches everything that is pinned (D12)."""

import re

from tests.project import ROOT

CONFIGURATION = (ROOT / ".github" / "dependabot.yml").read_text()


def folders(ecosystem: str) -> set[str]:
    """Return the folders that an ecosystem is watched in."""
    found = re.search(rf"package-ecosystem: {ecosystem}\n    director(?:y|ies): \[?([^\]\n]+)", CONFIGURATION)
    assert found, ecosystem
    return set(found[1].split(", "))


def test_dependabot_watches_every_dockerfile() -> None:
    files = [*ROOT.glob("*/Dockerfile"), *ROOT.glob("deploy/*/Dockerfile")]
    assert folders("docker") == {f"/{path.parent.relative_to(ROOT)}" for path in files}


def test_dependabot_watches_every_python_pin() -> None:
    assert folders("pip") == {f"/{path.parent.name}" for path in ROOT.glob("*/requirements.txt")}


def test_dependabot_watches_the_images_of_compose() -> None:
    assert folders("docker-compose") == {"/"}
