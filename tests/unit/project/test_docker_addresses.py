"""The addresses that a start with Docker prints, by the script's own function; Docker is asked nothing."""

import subprocess
from pathlib import Path

from tests.project import ROOT

SCRIPT = (ROOT / "deploy" / "docker" / "stack.sh").read_text()
DOCKER = 'say() { echo "$1"; }\nurl() { echo "http://127.0.0.1:$2"; }\n'


def test_address_of_the_figures_is_that_of_the_page(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    function = "addresses() {" + SCRIPT.partition("\naddresses() {")[2].partition("\n}\n")[0] + "\n}\n"
    done = subprocess.run(
        ["/bin/sh", "-euc", f"{DOCKER}{function}addresses"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    told = dict(line.split() for line in done.stdout.splitlines())
    assert told["figures"] == "http://127.0.0.1:5002/figures"
    assert "PROJECTOR_URL=http://127.0.0.1:5003\n" in (tmp_path / ".local" / "env").read_text()
