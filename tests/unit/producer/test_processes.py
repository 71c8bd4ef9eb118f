"""What the programs beside the web process load: none of the web."""

import subprocess
import sys

import pytest

from tests.project import ROOT


@pytest.mark.parametrize("module", ["producer.relay.cli", "producer.topics"])
def test_program_does_without_flask(module: str) -> None:
    """Flask and what comes with it cost every start a quarter of a second of CPU, and the relay 15 MB."""
    script = (
        f"import sys, {module}; print(*sorted({{'flask', 'werkzeug', 'producer.web'}} & {{*sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT / "producer_service",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip() == ""
