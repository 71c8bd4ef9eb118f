"""`python -m projector`: what an operator does about dead letters; `rebuild` has a room of its own."""

import json
import logging
import re
import sys
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import click
import sqlalchemy as sa

from projector.config import Settings
from projector.rebuild.command import rebuild
from projector.store import dead_letters, decisions
from projector.store.database import DatabaseUnavailable, Refused, create_engine
from projector.store.dead_letters import Choice, ListedLetter, StoredLetter
from projector.store.decisions import NotParked, Released, Tell
from projector.store.queries import Queries

LIST_LIMIT = 1000
# What a terminal obeys or is turned round by, and JSON leaves as it is.
CONTROLS = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Look after the projector. The service itself is run by gunicorn."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s")


cli.add_command(rebuild)


@cli.group()
@click.pass_context
def dlq(context: click.Context) -> None:
    """Dead letters: messages that could not be read or applied, and those parked behind them."""
    settings = Settings()
    context.obj = create_engine(settings.sqlalchemy_url, 1, settings.database_timeout_s)


class _Told(click.ClickException):
    """An error in one line."""


def _tell(error: Exception) -> _Told:
    if isinstance(error, DatabaseUnavailable):
        return _Told(f"The database does not answer: {error}")
    if isinstance(error, Refused):
        return _Told(f"Nothing was changed; the database refuses it: {error}")
    return _Told(str(error))


@dlq.command("list")
@click.pass_obj
def list_letters(engine: sa.Engine) -> None:
    """List the parked messages in the order they came."""
    try:
        letters = dead_letters.parked(engine, LIST_LIMIT)
    except DatabaseUnavailable as error:
        raise _tell(error) from error
    for letter in letters:
        click.echo(_line(letter))
    if len(letters) == LIST_LIMIT:
        click.echo(f"Only the first {LIST_LIMIT} are shown.", err=True)


def _line(letter: ListedLetter) -> str:
    moment = letter.parked_at.isoformat(timespec="seconds")
    order = letter.order_id or "unknown order"
    return (
        f"{letter.id}  {order}  partition {letter.partition} offset {letter.offset}  {moment}  {letter.error}"
    )


@dlq.command()
@click.argument("letter_id", type=int, metavar="ID")
@click.pass_obj
def show(engine: sa.Engine, letter_id: int) -> None:
    """Show a parked or discarded message as JSON. What is not UTF-8 in it is replaced by question marks."""
    try:
        letter = dead_letters.find(engine, letter_id)
    except DatabaseUnavailable as error:
        raise _tell(error) from error
    if letter is None:
        raise _Told(f"There is no dead letter {letter_id}.")
    text = json.dumps(_fields(letter), indent=2, ensure_ascii=False)
    click.echo(CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _fields(letter: StoredLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "topic_id": letter.topic_id,
        "partition": letter.partition,
        "offset": letter.offset,
        "order_id": str(letter.order_id) if letter.order_id else None,
        "error": letter.error,
        "time": letter.time.isoformat(),
        "parked_at": letter.parked_at.isoformat(),
        "discarded_at": letter.discarded_at.isoformat() if letter.discarded_at else None,
        "key": _text(letter.key),
        "value": _text(letter.value),
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


Command = TypeVar("Command", bound=Callable[..., None])
DecideMany = Callable[[sa.Engine, Choice, Tell], Released]


def _chooses(command: Command) -> Command:
    """Let a command take the number of one message, or choose many."""
    for add in (
        click.option("--reason", metavar="TEXT", help="All whose error has this text in it."),
        click.option("--order", "order_id", type=click.UUID, metavar="ID", help="All of this order."),
        click.option("--all", "is_all", is_flag=True, help="All that are parked."),
        click.argument("letter_id", type=int, metavar="[ID]", required=False),
    ):
        command = add(command)
    return command


@dlq.command()
@_chooses
@click.pass_obj
def requeue(
    engine: sa.Engine, letter_id: int | None, is_all: bool, order_id: UUID | None, reason: str | None
) -> None:
    """Apply a parked message again, and then those parked behind it.

    Without ID: many of them, each once. --order and --reason together: those that are both.
    """
    if choice := _read_choice(letter_id, is_all, order_id, reason):
        _decide_many(engine, choice, decisions.requeue_all)
    else:
        _decide_one(engine, letter_id, decisions.requeue)


@dlq.command()
@_chooses
@click.pass_obj
def discard(
    engine: sa.Engine, letter_id: int | None, is_all: bool, order_id: UUID | None, reason: str | None
) -> None:
    """Give a parked message up, on record, and apply those parked behind it.

    Without ID: many of them. --order and --reason together: those that are both. What only waits behind another message
    is not given up, but applied.
    """
    if choice := _read_choice(letter_id, is_all, order_id, reason):
        _decide_many(engine, choice, decisions.discard_all)
    else:
        _decide_one(engine, letter_id, decisions.discard)


def _read_choice(
    letter_id: int | None, is_all: bool, order_id: UUID | None, reason: str | None
) -> Choice | None:
    """Return what is chosen of many; None: the one message with this number."""
    if reason == "":
        raise click.UsageError("--reason needs a text; for all of them: --all.")
    has_filter = order_id is not None or reason is not None
    if (letter_id is not None) + is_all + has_filter != 1:
        raise click.UsageError("Say which: the ID of one, --all, or --order ID and --reason TEXT.")
    return None if letter_id is not None else Choice(order_id, reason)


def _decide_one(
    engine: sa.Engine, letter_id: int | None, decide: Callable[[sa.Engine, int], Released]
) -> None:
    assert letter_id is not None
    try:
        released = decide(engine, letter_id)
    except (NotParked, Refused, DatabaseUnavailable) as error:
        raise _tell(error) from error
    click.echo(f"Applied {released.applied}; {released.still_parked} still parked.")
    _fail_if_parked(released)


def _decide_many(engine: sa.Engine, choice: Choice, decide: DecideMany) -> None:
    """Decide, and count: a line for each batch, so that an interrupted command has told what it did."""
    done = Released(0, 0)

    def note(released: Released) -> None:
        nonlocal done
        done += released
        click.echo(_count(done), err=True)

    try:
        done = decide(engine, choice, note)
        parked = Queries(engine).counts().parked
    except DatabaseUnavailable as error:
        raise _tell(error) from error
    click.echo(f"{_count(done)}; {parked:,} are parked now.")
    _fail_if_parked(done)


def _count(released: Released) -> str:
    return f"Discarded {released.discarded:,}, applied {released.applied:,}"


def _fail_if_parked(released: Released) -> None:
    if released.still_parked:
        raise _Told(f"The first that is still parked: {released.error}.")
