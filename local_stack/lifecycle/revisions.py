"""Notice that something runs from other code than is here now: after `git pull` a start must not say "already up".

A revision is a digest of all files that a program is made of. It is recorded when the program is started.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from local_stack.lifecycle.programs import (
    CONSUMER_FOLDER,
    KAFKA_UI_FOLDER,
    PRODUCER_FOLDER,
    PROJECTOR_FOLDER,
)
from local_stack.paths import PROJECT_ROOT, Paths, write_private
from local_stack.services import CONNECTOR, CONSUMER, KAFKA_UI, PRODUCER, PROJECTORS, RELAY

# The stack itself: supervisord, the settings of PostgreSQL and Kafka, and the packages that all of them run on.
STACK = "stack"
# The migrations belong to the producer's start, and the relay is the same code.
FOLDERS: Mapping[str, tuple[Path, ...]] = {
    STACK: (PROJECT_ROOT / "local_stack",),
    PRODUCER: (PRODUCER_FOLDER, PROJECT_ROOT / "db"),
    RELAY: (PRODUCER_FOLDER, PROJECT_ROOT / "db"),
    CONNECTOR: (PRODUCER_FOLDER,),
    CONSUMER: (CONSUMER_FOLDER,),
    **dict.fromkeys(PROJECTORS, (PROJECTOR_FOLDER,)),
    KAFKA_UI: (KAFKA_UI_FOLDER,),
}


def outdated(paths: Paths, running: Set[str]) -> set[str]:
    """Return which of the running programs were started from other files than those of now."""
    recorded, present = _load(paths), current()
    return {name for name in (running | {STACK}) & set(FOLDERS) if recorded.get(name) != present[name]}


def record(paths: Paths, names: Iterable[str]) -> None:
    """Remember that these programs are started from the files of now."""
    present = current()
    revisions = _load(paths) | {name: present[name] for name in names if name in FOLDERS}
    write_private(paths.revisions, json.dumps(revisions))


def current() -> dict[str, str]:
    """Return the revision of each program."""
    digests = {folders: revision(*folders) for folders in set(FOLDERS.values())}
    return {name: digests[folders] for name, folders in FOLDERS.items()}


def revision(*folders: Path) -> str:
    """Return a digest of the names and contents of all files, but not of hidden or compiled ones."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in parts):
                total.update(hashlib.sha256("/".join(parts).encode()).digest())
                total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _load(paths: Paths) -> dict[str, str]:
    return dict(json.loads(paths.revisions.read_text())) if paths.revisions.exists() else {}
