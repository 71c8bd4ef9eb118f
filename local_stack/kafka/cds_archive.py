"""Record a class-data sharing (CDS) archive of Kafka, once, in a short broker run. It halves later starts."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from local_stack import ports
from local_stack.deadline import Deadline
from local_stack.kafka import broker, pins
from local_stack.kafka.java import Java

START_TIMEOUT_S, STOP_TIMEOUT_S = 40, 40


def jvm_options(cache: Path, java: Java, jars: Sequence[Path], say: Callable[[str], None]) -> list[str]:
    """Return the JVM options that use the archive, which is recorded if it does not exist yet.

    Return none if this Java cannot record one: everything works without the archive, only slower."""
    record_option, use_option = "ArchiveClassesAtExit", "SharedArchiveFile"
    if java.major >= 25:
        record_option, use_option = "AOTCacheOutput", "AOTCache"
    archive = cache / f"kafka-{pins.VERSION}-java-{java.version}-{_key(java.build, jars)}.archive"
    if not archive.exists():
        say("recording a class-data archive of Kafka, once, for faster starts")
        part = archive.with_suffix(f".{os.getpid()}.part")
        if not _record(cache, java, jars, f"-XX:{record_option}={part}") or not part.exists():
            return []
        part.rename(archive)
    return [f"-XX:{use_option}={archive}"]


def _key(build: str, jars: Sequence[Path]) -> str:
    """Return a digest of what an archive depends on: one build of Java, its options and one class path."""
    text = "\0".join([build, *broker.JVM_OPTIONS, *map(str, jars)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _record(cache: Path, java: Java, jars: Sequence[Path], option: str) -> bool:
    """Run one broker with the option until it has started, then stop it. Return whether both went well."""
    with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        broker_port, controller_port = islice(ports.free_ports(), 2)
        node = broker.Node(1, [broker_port], [controller_port])
        broker.write_configuration(folder, broker.random_uuid(), node)
        with open(folder / "out.log", "wb") as log:
            process = subprocess.Popen(
                broker.command(java, jars, [option]),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            return _has_started(process, folder / "out.log") and _has_stopped(process)
        finally:
            process.kill()
            process.wait()


def _has_started(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    def started_or_exited() -> bool:
        return b"Kafka Server started" in log.read_bytes() or process.poll() is not None

    return Deadline(START_TIMEOUT_S).poll(started_or_exited) and process.poll() is None


def _has_stopped(process: "subprocess.Popen[bytes]") -> bool:
    """Ask the broker to stop: the JVM writes the archive at its exit."""
    process.terminate()
    return Deadline(STOP_TIMEOUT_S).poll(lambda: process.poll() is not None)
