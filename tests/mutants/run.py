"""Tries mutants one after another, and tells of each whether the tests have seen it."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.mutants.copy import Copy, DoesNotApply
from tests.mutants.mutant import Mutant
from tests.mutants.verdict import DEADLINE_S, Verdict, judge
from tests.stack import Stack

Tell = Callable[[str], None]


class NotGreen(Exception):
    """Tests fail without any mistake: what they say about one would mean nothing."""


class Session:
    """A copy of the project, and the stores that the tests of many mutants share, started when first needed."""

    def __init__(self, copy: Copy, open_things: ExitStack) -> None:
        self._copy, self._open_things = copy, open_things
        self._stores: Stack | None = None

    def check(self, mutants: Sequence[Mutant]) -> None:
        """Run the tests of all mutants without a mistake, those of one kind together. Raises NotGreen."""
        for tests, shares in _runs(mutants):
            verdict = judge(self._copy, [*tests, *self._options(shares)], deadline_s=4 * DEADLINE_S)
            if verdict.outcome != "survived":
                raise NotGreen(f"Without any mistake: {verdict.detail} ({shlex.join(tests)})")

    def try_one(self, mutant: Mutant) -> Verdict:
        """Make the mistake, run its tests, undo it."""
        options = self._options(mutant.may_share_stores and not mutant.is_fast)
        try:
            with self._copy.with_mistake(mutant):
                return judge(self._copy, [*mutant.tests, *options])
        except DoesNotApply as error:
            return Verdict("error", 0, f"does not apply: {error}".replace("\n", "; "))

    def _options(self, shares: bool) -> list[str]:
        if not shares:
            return []
        if self._stores is None:
            self._stores = self._open_things.enter_context(Stack.started())
        return ["--stores", str(self._stores.home)]


def _runs(mutants: Sequence[Mutant]) -> Iterator[tuple[list[str], bool]]:
    """Iterate over calls of pytest that run all tests: `-k` holds for a whole call, so such tests need their own."""
    together: dict[tuple[bool, bool], dict[str, None]] = {}
    alone: dict[tuple[str, ...], bool] = {}
    for mutant in mutants:
        shares = mutant.may_share_stores and not mutant.is_fast
        if any(argument.startswith("-") for argument in mutant.tests):
            alone[mutant.tests] = shares
        else:
            together.setdefault((mutant.is_fast, shares), {}).update(dict.fromkeys(mutant.tests))
    for (_, shares), tests in together.items():
        yield list(tests), shares
    for arguments, shares in alone.items():
        yield list(arguments), shares


def run(root: Path, mutants: Sequence[Mutant], tell: Tell) -> bool:
    """Try the mutants; tell of each; return whether all were caught. Raises NotGreen."""
    with ExitStack() as open_things:
        session = Session(open_things.enter_context(Copy.made(root)), open_things)
        tell("The tests without any mistake …")
        session.check(mutants)
        width = max((len(mutant.name) for mutant in mutants), default=0)
        outcomes = list[str]()
        for mutant in mutants:
            verdict = session.try_one(mutant)
            detail = mutant.what if verdict.outcome == "survived" else verdict.detail
            tell(f"{mutant.name:{width}}  {verdict.outcome:8}  {verdict.seconds:5.1f} s  {detail}")
            outcomes.append(verdict.outcome)
    tell(", ".join(f"{outcomes.count(each)} {each}" for each in ("caught", "survived", "error")))
    return all(outcome == "caught" for outcome in outcomes)
