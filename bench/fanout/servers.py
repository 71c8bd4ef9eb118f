"""The servers that are measured. Each has one worker process, as one of our replicas has."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from bench.fanout.feed import Feed, LineFeed, PostFeed
from bench.intake import cpu_s, free_port, is_listening
from bench.publish import ROOT, wait_until

HERE = Path(__file__).parent
NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
GENERATOR_STREAMS = 100
START_S = 30.0


@dataclass(frozen=True)
class Server:
    """A server that is running. open_feed: opens a way for events into it."""

    port: int
    process: psutil.Process
    open_feed: Callable[[], Feed]

    @property
    def cpu_s(self) -> float:
        """The CPU time of all of its processes, user and system."""
        return cpu_s([self.process])

    @property
    def pss_bytes(self) -> int:
        """The memory of all of its processes; what some of them share is counted once."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(each.memory_full_info().pss for each in family)


@dataclass(frozen=True)
class Variant:
    """A kind of server. missing: how to get its program, when it is not there. most: the streams it takes.

    takes_a_crowd: with thousands of viewers and hundreds of events a second, the others are measured for minutes and
    deliver nothing in time."""

    name: str
    run: Callable[[Path, int], tuple[list[str], dict[str, str]]]
    missing: str = ""
    most: int = 20_000
    is_ours: bool = False
    takes_a_crowd: bool = False


def ours(folder: Path, port: int, fanout: str = "sockets") -> tuple[list[str], dict[str, str]]:
    """Return how our consumer is started, with gunicorn's configuration that it has everywhere."""
    settings = {"FANOUT": fanout, "MAX_STREAMS": "20000", "FEED": str(folder / "feed")}
    configuration = str(ROOT / "consumer_service" / "gunicorn.conf.py")
    return _gunicorn(port, "--config", configuration, "bench.fanout.ours:create_app()"), settings


def naive(folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Return how the usual way is started."""
    options = ("--worker-class", "gevent", "--worker-connections", "20000", "--graceful-timeout", "1")
    return _gunicorn(port, *options, "bench.fanout.naive:create_app()"), {"FEED": str(folder / "feed")}


def nchan(folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Return how nginx is started; its worker, another user, has to get into the folder."""
    folder.chmod(0o755)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    text = (HERE / "nchan.conf").read_text()
    for word, value in {"MODULE": NCHAN_MODULE, "FOLDER": folder, "FILES": files, "PORT": port}.items():
        text = text.replace(word, str(value))
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    return [NGINX, "-c", str(configuration), "-p", str(folder), "-e", str(folder / "nginx.log")], {}


def _gunicorn(port: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket", *options]


VARIANTS = (
    Variant("ours", ours, is_ours=True, takes_a_crowd=True),
    Variant("generator", partial(ours, fanout="generator"), most=GENERATOR_STREAMS, is_ours=True),
    Variant("gevent", naive),
    Variant(
        "nchan",
        nchan,
        takes_a_crowd=True,
        missing=""
        if NCHAN_MODULE.exists() and Path(NGINX).exists()
        else "apt-get install nginx libnginx-mod-nchan",
    ),
)


@contextmanager
def running(variant: Variant) -> Iterator[Server]:
    """Start a server, wait until it serves, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="fanout-") as name:
        folder, port = Path(name), free_port()
        command, settings = variant.run(folder, port)
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'consumer_service'}"} | settings
        log = (folder / "log").open("wb")
        process = psutil.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_until(partial(_is_ready, variant, port), START_S)
            yield Server(port, process, partial(_open_feed, folder, port))
        except TimeoutError as error:
            error.add_note((folder / "log").read_text()[-2000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(START_S)
            except psutil.TimeoutExpired:
                _kill(process)
            log.close()


def _kill(process: psutil.Process) -> None:
    for each in (*process.children(recursive=True), process):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    with suppress(subprocess.TimeoutExpired, psutil.TimeoutExpired):
        process.wait(START_S)


def _is_ready(variant: Variant, port: int) -> bool:
    if not variant.is_ours:
        return is_listening(port)
    with (
        suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer,
    ):
        return bool(answer.status == 200)
    return False


def _open_feed(folder: Path, port: int) -> Feed:
    feed = folder / "feed"
    return LineFeed(feed) if feed.exists() else PostFeed(port, "/publish")
