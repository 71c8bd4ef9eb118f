"""Download the published jars of Kafka, Kafka Connect and Debezium, and check them against their pins."""

import hashlib
import os
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from xml.etree import ElementTree

from local_stack.errors import StackError
from local_stack.kafka import pins
from local_stack.kafka.pins import Pin, PinList

ATTEMPTS, PARALLEL, TIMEOUT_S = 3, 8, 10


def fetch(folder: Path, say: Callable[[str], None], pin_list: PinList = pins.KAFKA) -> list[Path]:
    """Download the jars that are not in the folder yet, or are not the pinned files. Return all of them, in a
    fixed order. Raises StackError when one cannot be downloaded or is not the pinned file."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pins.load(pin_list)
    with ThreadPoolExecutor(PARALLEL) as pool:
        intact = pool.map(lambda pin: _is_intact(folder / pin.file_name, pin), wanted)
        missing = [pin for pin, is_intact in zip(wanted, intact, strict=True) if not is_intact]
    if missing:
        settings = Path.home() / ".m2" / "settings.xml"
        base = repository_url(settings.read_text() if settings.exists() else "<settings/>")
        say(f"downloading {len(missing)} of the jars of {pin_list.name}")
        _fetch_all(base, missing, folder, pin_list.name)
    return [folder / pin.file_name for pin in wanted]


def _is_intact(jar: Path, pin: Pin) -> bool:
    """Compare a file of the cache with its checksum. That of all jars takes a tenth of a second."""
    return jar.exists() and hashlib.sha256(jar.read_bytes()).hexdigest() == pin.sha256


def repository_url(maven_settings: str) -> str:
    """Return the mirror named in the user's Maven settings, else Maven Central's URL from the package jgo."""
    for mirror in ElementTree.fromstring(maven_settings).iterfind(".//{*}mirror"):
        if {"central", "*", "external:*"} & set(mirror.findtext("{*}mirrorOf", "").split(",")):
            return mirror.findtext("{*}url", "").strip().rstrip("/")
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 - slow, and needed once on each machine

    return str(MAVEN_CENTRAL_URL).rstrip("/")


def _fetch_all(base: str, missing: list[Pin], folder: Path, name: str) -> None:
    cancelled = threading.Event()
    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            list(pool.map(lambda pin: _fetch(base, pin, folder, name, cancelled), missing))
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(base: str, pin: Pin, folder: Path, name: str, cancelled: threading.Event) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        if cancelled.is_set():
            return
        try:
            return _store(_download(f"{base}/{pin.repository_path}"), pin, folder)
        except (OSError, HTTPException) as error:
            if attempt == ATTEMPTS:
                reason = getattr(error, "reason", None) or error
                raise StackError(
                    f"Could not download {pin.file_name} for {name} (no network?): {reason}"
                ) from error
            cancelled.wait(attempt / 2)


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:
        return bytes(reply.read())


def _store(jar: bytes, pin: Pin, folder: Path) -> None:
    if hashlib.sha256(jar).hexdigest() != pin.sha256:
        raise StackError(f"The download of {pin.file_name} is not the pinned file: its checksum differs.")
    part = folder / f"{pin.file_name}.{os.getpid()}.part"
    part.write_bytes(jar)
    part.rename(folder / pin.file_name)
