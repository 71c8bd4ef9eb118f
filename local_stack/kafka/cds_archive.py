"""A class-data archive, recorded once by a short run of one broker: it halves every later start."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from local_stack import ports
from local_stack.deadline import Deadline
from local_stack.kafka import broker
from local_stack.kafka.java import Java

START_S, END_S = 40, 40


def options(cache: Path, java: Java, jars: Sequence[Path], progress: Callable[[str], None]) -> list[str]:
    """JVM options that use the archive; none when this Java cannot make one: all works without, slower."""
    recording, use = "ArchiveClassesAtExit", "SharedArchiveFile"
    if java.major >= 25:
        recording, use = "AOTCacheOutput", "AOTCache"
    archive = cache / f"kafka-{broker.VERSION}-java-{java.version}-{_key(java.build, jars)}.archive"
    if not archive.exists():
        progress("recording Kafka's classes, once, for quicker starts")
        part = archive.with_suffix(f".{os.getpid()}.part")
        if not _record(cache, java, jars, f"-XX:{recording}={part}") or not part.exists():
            return []
        part.rename(archive)
    return [f"-XX:{use}={archive}"]


def _key(build: str, jars: Sequence[Path]) -> str:
    """An archive fits one build of Java, its options and one class path only."""
    text = "\0".join([build, *broker.JVM, *map(str, jars)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _record(cache: Path, java: Java, jars: Sequence[Path], option: str) -> bool:
    with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        broker_port, controller_port = islice(ports.candidates(), 2)
        broker.configure(folder, broker.new_id(), broker.Node(1, [broker_port], [controller_port]))
        with open(folder / "out.log", "wb") as log:
            process = subprocess.Popen(
                broker.command(java, jars, [option]),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            return _started(process, folder / "out.log") and _ended(process)
        finally:
            process.kill()
            process.wait()


def _started(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    return (
        Deadline(START_S).poll(
            lambda: b"Kafka Server started" in log.read_bytes() or process.poll() is not None
        )
        and process.poll() is None
    )


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    process.terminate()
    return Deadline(END_S).poll(lambda: process.poll() is not None)
