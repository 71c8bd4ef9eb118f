"""python -m tests.mutants"""

import argparse
import fnmatch
import signal
import sys
from collections.abc import Sequence

from tests.mutants.mutant import BadPatch, Mutant, read_all
from tests.mutants.run import NotGreen, run
from tests.project import ROOT


def main() -> int:
    """Try the chosen mutants; return the exit status: 1 when one has survived or was not tried."""
    parser = argparse.ArgumentParser(
        "python -m tests.mutants", description="Make small mistakes that tests must see."
    )
    parser.add_argument("name", nargs="*", help="a mutant, or a pattern such as 'relay-*'; all by default")
    parser.add_argument(
        "--fast", action="store_true", help="only those whose tests need no PostgreSQL and no Kafka"
    )
    parser.add_argument("--file", action="append", default=[], help="only those that change this file")
    arguments = parser.parse_args()
    # A shell ignores SIGINT for its background jobs, and pytest, which is to stop its stack then, would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        mutants = _chosen(read_all(), arguments.name, arguments.file, arguments.fast)
        return 0 if run(ROOT, mutants, _tell) else 1
    except (BadPatch, NotGreen) as error:
        _tell(str(error))
    except KeyboardInterrupt:
        _tell("Interrupted.")
    return 1


def _chosen(
    mutants: Sequence[Mutant], names: Sequence[str], files: Sequence[str], only_fast: bool
) -> Sequence[Mutant]:
    """Raises BadPatch when a name is none of a mutant."""
    for name in names:
        if not any(fnmatch.fnmatch(mutant.name, name) for mutant in mutants):
            raise BadPatch(f"There is no mutant {name}.")
    return [
        mutant
        for mutant in mutants
        if (not names or any(fnmatch.fnmatch(mutant.name, name) for name in names))
        and (not files or set(files) & set(mutant.changed))
        and (mutant.is_fast or not only_fast)
    ]


def _tell(line: str) -> None:
    print(line, flush=True)


sys.exit(main())
