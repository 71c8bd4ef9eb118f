"""The command line: python -m local_stack [--home DIR] start | stop | restart | status | logs | scale |
partitions | parked | requeue | discard | dlq | rebuild | ledger | backup | archive | restore"""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from local_stack import backup
from local_stack.config import Settings, load_settings
from local_stack.console import exit_code, say
from local_stack.errors import StackError
from local_stack.kafka import metadata
from local_stack.lifecycle import logs, one_off, status, stop
from local_stack.lifecycle.start import start
from local_stack.lock import exclusive_lock
from local_stack.paths import DEFAULT_HOME, Paths
from local_stack.services import (
    ALL,
    CDC,
    MORE_PROJECTORS,
    MOST_PROJECTORS,
    NAMES,
    PRODUCER,
    PROJECTOR,
    RELAY,
    ZOOKEEPERS,
)

# As help and errors name them.
KNOWN = " ".join((*NAMES, *CDC))

# A process that does not answer within this time, such as a suspended supervisord, counts as dead.
ANSWER_TIMEOUT_S = 10


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="start_project.sh", description=f"Services: {KNOWN}")
    top.add_argument(
        "--home", type=Path, default=DEFAULT_HOME, help="the folder of all data (default: .local)"
    )
    verbs = top.add_subparsers(
        dest="verb",
        metavar="start | stop | restart | status | logs | scale | partitions | parked | requeue | discard | dlq"
        " | rebuild | ledger | backup | archive | restore",
    )
    for verb in ("start", "stop", "restart"):
        verbs.add_parser(verb).add_argument("services", nargs="*", metavar="SERVICE", default=[])
    verbs.add_parser("status").add_argument("--json", action="store_true")
    log = verbs.add_parser("logs")
    log.add_argument("-f", "--follow", action="store_true")
    log.add_argument("services", nargs="*", metavar="SERVICE", default=[])
    verbs.add_parser("scale").add_argument("wishes", nargs="+", metavar="projector=N")
    verbs.add_parser("partitions").add_argument("count", metavar="N")
    verbs.add_parser("parked")
    for verb in ("requeue", "discard"):
        verbs.add_parser(verb).add_argument("event_id", metavar="ID")
    dead_letters = verbs.add_parser("dlq").add_subparsers(dest="decision", required=True)
    dead_letters.add_parser("list")
    dead_letters.add_parser("show").add_argument("letter_id", metavar="ID")
    for decision in ("requeue", "discard"):
        chosen = dead_letters.add_parser(decision)
        chosen.add_argument("letter_id", metavar="ID", nargs="?")
        chosen.add_argument("--all", action="store_true", help="all that are parked")
        chosen.add_argument("--order", metavar="ID", help="all of this order")
        chosen.add_argument("--reason", metavar="TEXT", help="all whose error has this text in it")
    rebuild = verbs.add_parser("rebuild")
    rebuild.add_argument(
        "--from", metavar="TIME", help="read the topic from this time on into a schema of its own"
    )
    rebuild.add_argument("--to", metavar="TIME", help="and only up to this time")
    rebuild.add_argument("--list", action="store_true", help="list such schemas")
    rebuild.add_argument("--drop", metavar="SCHEMA", help="drop such a schema")
    ledger = verbs.add_parser("ledger")
    ledger.add_argument("--order", metavar="ID", help="print the timeline of one order")
    ledger.add_argument("--json", action="store_true", help="print the figures as JSON")
    ledger.add_argument("--repair", action="store_true", help="put what is missing back into the outbox")
    ledger.add_argument("--recover", action="store_true", help="put what only Kafka has back into the orders")
    for verb in ("backup", "archive", "restore"):
        verbs.add_parser(verb).add_argument("folder", type=Path, metavar="FOLDER")
    verbs.choices["restore"].add_argument("--to", metavar="TIME", help="such as 2026-11-26T16:20:00Z")
    top.set_defaults(verb="start", services=[])
    return top


class Commands:
    """The commands for some or all services. Each returns the exit code."""

    def __init__(self, paths: Paths, services: Sequence[str]) -> None:
        self.paths = paths
        self._services = frozenset(services or NAMES)
        self._all = not services

    def _settings(self) -> Settings:
        settings = load_settings().with_publisher_of(self.paths).with_projectors_of(self.paths)
        return settings.with_metadata_of(self.paths)

    def start(self) -> int:
        return self._start(self._settings())

    def scale(self, wishes: Sequence[str]) -> int:
        """Start everything with another number of projectors, which later starts remember."""
        code = self._start(self._settings().with_projectors(read_projectors(wishes)))
        say(f"running: {' '.join(wishes)}")
        return code

    def _start(self, settings: Settings) -> int:
        metadata.check(self.paths, settings.kafka_metadata)  # before anything is stopped or changed
        self.paths.create_folders()
        with exclusive_lock(self.paths.lock, say):
            print("Starting" if self._all else f"Starting {' '.join(sorted(self._services))}", flush=True)
            if not start(self.paths, settings, os.environ, self._wanted(settings), say):
                say("already up")
        print("\n".join(status.locations(self.paths)))
        return 0

    def _wanted(self, settings: Settings) -> frozenset[str]:
        """Return the services to start. Raises StackError when one has nothing to do."""
        if idle := self._services & (set(CDC) - settings.cdc):
            raise StackError(f"{min(idle)} is for PUBLISHER=debezium, and this is {settings.publisher}.")
        if idle := self._services & (set(MORE_PROJECTORS) - settings.more_projectors):
            raise StackError(f"There is no {min(idle)} with PROJECTORS={settings.projectors}.")
        if idle := self._services & (set(ZOOKEEPERS) - settings.ensemble):
            raise StackError(
                f"{min(idle)} is for --zookeeper, and this Kafka keeps its metadata itself (KRaft)."
            )
        return self._services | settings.optional if self._all else self._services

    def stop(self) -> int:
        if not self.paths.home.exists():
            say("nothing is running")
            return 0
        with exclusive_lock(self.paths.lock, say):
            if self._all:
                say("stopped" if stop.stop_all(self.paths) else "nothing is running")
            else:
                stop.stop_services(self.paths, self._services)
                say(f"stopped {' '.join(sorted(self._services))}")
        return 0

    def restart(self) -> int:
        metadata.check(self.paths, self._settings().kafka_metadata)
        self.stop()
        return self.start()

    def status(self, as_json: bool) -> int:
        _end_quietly_on_closed_pipe()
        statuses = status.read(self.paths, self._settings().optional)
        print(status.as_json(statuses) if as_json else status.as_table(statuses))
        for note in [] if as_json else status.notes(self.paths, statuses):
            print(note)
        return 0 if all(each.ok for each in statuses) else 1

    def logs(self, follow: bool) -> int:
        _end_quietly_on_closed_pipe()
        logs.show(self.paths, self._logged(), follow, print)
        return 0

    def _logged(self) -> list[str]:
        """Return the services whose logs are asked for: without any named, all that have one."""
        return [
            name for name in ALL if name in self._services or (self._all and self.paths.log(name).exists())
        ]

    def relay(self, *arguments: str) -> int:
        return one_off.run(self.paths, self._settings(), RELAY, "producer.relay", arguments)

    def partitions(self, count: str) -> int:
        """Become the command, so that an interrupt ends its hold on publishing."""
        one_off.become(self.paths, self._settings(), RELAY, "producer.topics", ["grow", count])

    def dead_letters(self, *arguments: str) -> int:
        return one_off.run(self.paths, load_settings(), PROJECTOR, "projector", ["dlq", *arguments])

    def rebuild(self, options: Sequence[str]) -> int:
        """Become the rebuild."""
        one_off.become(self.paths, load_settings(), PROJECTOR, "projector", ["rebuild", *options])

    def ledger(self, order: str | None, flags: Sequence[str]) -> int:
        """Become the ledger. Its exit code 1 says that something is missing, so what keeps it from looking is 2."""
        options = [*(["--order", order] if order else []), *flags]
        try:
            if "--recover" in flags:  # a restored database has the schema and the passwords of before
                one_off.migrate(self.paths, self._settings())
            one_off.become(self.paths, self._settings(), PRODUCER, "producer.ledger", options)
        except StackError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2


def read_projectors(wishes: Sequence[str]) -> int:
    """Return N of `projector=N`. Raises StackError for anything else."""
    for wish in wishes:
        service, _, number = wish.partition("=")
        if service != PROJECTOR or not (number.isascii() and number.isdigit()) or len(number) > 3:
            raise StackError(
                f"{wish}: without Docker only the projector can be scaled: projector=1 to {MOST_PROJECTORS}."
            )
    return int(wishes[-1].partition("=")[2])


def _end_quietly_on_closed_pipe() -> None:
    """Make `logs | head` no error. Not for commands that start services: those would inherit this."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _chosen(arguments: argparse.Namespace) -> Iterator[str]:
    """Return what `dlq` was told, as the projector's own command takes it."""
    given = vars(arguments)
    for name in ("order", "reason"):
        if given.get(name) is not None:
            yield f"--{name}={given[name]}"
    if given.get("all"):
        yield "--all"
    if given.get("letter_id") is not None:
        yield given["letter_id"]


def run(arguments: argparse.Namespace) -> int:
    unknown = sorted(set(arguments.services) - set(ALL))
    if unknown:
        raise StackError(f"There is no service {unknown[0]}; there are {KNOWN}.")
    socket.setdefaulttimeout(ANSWER_TIMEOUT_S)
    commands = Commands(Paths(arguments.home.resolve()), arguments.services)
    match arguments.verb:
        case "status":
            return commands.status(arguments.json)
        case "logs":
            return commands.logs(arguments.follow)
        case "scale":
            return commands.scale(arguments.wishes)
        case "partitions":
            return commands.partitions(arguments.count)
        case "parked":
            return commands.relay("parked")
        case "requeue" | "discard":
            return commands.relay(arguments.verb, arguments.event_id)
        case "dlq":
            return commands.dead_letters(arguments.decision, *_chosen(arguments))
        case "rebuild":
            given = {f"--{name}": getattr(arguments, name) for name in ("from", "to", "drop")}
            options = [word for pair in given.items() if pair[1] is not None for word in pair]
            return commands.rebuild([*options, "--list"] if arguments.list else options)
        case "ledger":
            flags = [f"--{name}" for name in ("json", "repair", "recover") if getattr(arguments, name)]
            return commands.ledger(arguments.order, flags)
        case "backup" | "archive":
            backup.become(commands.paths, arguments.verb, arguments.folder.resolve())
        case "restore":
            return backup.restore(commands.paths, arguments.folder.resolve(), arguments.to, say)
        case verb:
            return int(getattr(commands, verb)())


if __name__ == "__main__":
    sys.exit(exit_code(lambda: run(parser().parse_args())))
