"""Kafka's published jars, by a pinned list: `group:artifact:version sha256:HEX` a line."""

import hashlib
import os
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from xml.etree import ElementTree

from local_stack.errors import StackError

PINS = Path(__file__).with_name("kafka-4.3.1.pins")
ATTEMPTS, PARALLEL, TIMEOUT_S = 3, 8, 10


@dataclass(frozen=True)
class Pin:
    group: str
    artifact: str
    version: str
    sha256: str

    @classmethod
    def parse(cls, line: str) -> "Pin":
        coordinates, digest = line.split()
        group, artifact, version = coordinates.split(":")
        return cls(group, artifact, version, digest.removeprefix("sha256:"))

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file}"


def pins() -> list[Pin]:
    return [Pin.parse(line) for line in PINS.read_text().splitlines()]


def fetch(folder: Path, progress: Callable[[str], None]) -> list[Path]:
    """The jars, in a fixed order; those that are not in the folder yet are downloaded."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pins()
    missing = [pin for pin in wanted if not (folder / pin.file).exists()]
    if missing:
        settings = Path.home() / ".m2" / "settings.xml"
        base = repository(settings.read_text() if settings.exists() else "<settings/>")
        progress(f"downloading {len(missing)} of Kafka's jars")
        _fetch_all(base, missing, folder)
    return [folder / pin.file for pin in wanted]


def repository(maven_settings: str) -> str:
    """The mirror that the user's Maven is told to use, else what the package jgo knows as the central one."""
    for mirror in ElementTree.fromstring(maven_settings).iterfind(".//{*}mirror"):
        if {"central", "*", "external:*"} & set(mirror.findtext("{*}mirrorOf", "").split(",")):
            return mirror.findtext("{*}url", "").strip().rstrip("/")
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 - slow, and needed once in a machine's life

    return str(MAVEN_CENTRAL_URL).rstrip("/")


def _fetch_all(base: str, missing: list[Pin], folder: Path) -> None:
    given_up = threading.Event()
    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            list(pool.map(lambda pin: _fetch(base, pin, folder, given_up), missing))
        except BaseException:
            given_up.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(base: str, pin: Pin, folder: Path, given_up: threading.Event) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        if given_up.is_set():
            return
        try:
            return _store(_download(f"{base}/{pin.path}"), pin, folder)
        except (OSError, HTTPException) as error:
            if attempt == ATTEMPTS:
                reason = getattr(error, "reason", None) or error
                raise StackError(
                    f"Could not download {pin.file} for Kafka (no network?): {reason}"
                ) from error
            given_up.wait(attempt / 2)


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:
        return bytes(reply.read())


def _store(jar: bytes, pin: Pin, folder: Path) -> None:
    if hashlib.sha256(jar).hexdigest() != pin.sha256:
        raise StackError(f"What was downloaded as {pin.file} is not the pinned file: its checksum differs.")
    part = folder / f"{pin.file}.{os.getpid()}.part"
    part.write_bytes(jar)
    part.rename(folder / pin.file)
