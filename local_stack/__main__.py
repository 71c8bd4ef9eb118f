"""The command line: python -m local_stack [--home DIR] start | stop | restart | status | logs"""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from local_stack.config import load_settings
from local_stack.console import exit_code, say
from local_stack.errors import StackError
from local_stack.lifecycle import logs, status, stop
from local_stack.lifecycle.start import start
from local_stack.lock import one_at_a_time
from local_stack.paths import CLONE, Paths
from local_stack.services import NAMES

# Whoever does not answer in this time, a stopped supervisord say, counts as gone.
ANSWER_S = 10


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="start_project.sh", description=f"Services: {' '.join(NAMES)}")
    top.add_argument(
        "--home", type=Path, default=CLONE / ".local", help="where all data lies (default: .local)"
    )
    verbs = top.add_subparsers(dest="verb", metavar="start | stop | restart | status | logs")
    for verb in ("start", "stop", "restart"):
        verbs.add_parser(verb).add_argument("services", nargs="*", metavar="SERVICE", default=[])
    verbs.add_parser("status").add_argument("--json", action="store_true")
    log = verbs.add_parser("logs")
    log.add_argument("-f", "--follow", action="store_true")
    log.add_argument("services", nargs="*", metavar="SERVICE", default=[])
    top.set_defaults(verb="start", services=[])
    return top


class Commands:
    def __init__(self, paths: Paths, services: Sequence[str]) -> None:
        self._paths = paths
        self._services = frozenset(services or NAMES)
        self._all = not services

    def start(self) -> int:
        settings = load_settings()
        self._paths.create()
        with one_at_a_time(self._paths.lock, say):
            print("Starting" if self._all else f"Starting {' '.join(sorted(self._services))}", flush=True)
            if not start(self._paths, settings, os.environ, self._services, say):
                say("already up")
        print("\n".join(status.urls(self._paths)))
        return 0

    def stop(self) -> int:
        if not self._paths.home.exists():
            say("nothing is running")
            return 0
        with one_at_a_time(self._paths.lock, say):
            if self._all:
                say("stopped" if stop.everything(self._paths) else "nothing is running")
            else:
                stop.some(self._paths, self._services)
                say(f"stopped {' '.join(sorted(self._services))}")
        return 0

    def restart(self) -> int:
        self.stop()
        return self.start()

    def status(self, as_json: bool) -> int:
        _end_with_the_pipe()
        statuses = status.of(self._paths)
        print(status.as_json(statuses) if as_json else status.as_table(statuses))
        for note in [] if as_json else status.notes(self._paths, statuses):
            print(note)
        return 0 if all(each.good for each in statuses) else 1

    def logs(self, follow: bool) -> int:
        _end_with_the_pipe()
        logs.show(self._paths, [name for name in NAMES if name in self._services], follow, print)
        return 0


def _end_with_the_pipe() -> None:
    """`logs | head` is no error. Not for what starts services: they would inherit it."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def run(arguments: argparse.Namespace) -> int:
    unknown = sorted(set(arguments.services) - set(NAMES))
    if unknown:
        raise StackError(f"There is no service {unknown[0]}; there are {' '.join(NAMES)}.")
    socket.setdefaulttimeout(ANSWER_S)
    commands = Commands(Paths(arguments.home.resolve()), arguments.services)
    match arguments.verb:
        case "status":
            return commands.status(arguments.json)
        case "logs":
            return commands.logs(arguments.follow)
        case verb:
            return int(getattr(commands, verb)())


if __name__ == "__main__":
    sys.exit(exit_code(lambda: run(parser().parse_args())))
