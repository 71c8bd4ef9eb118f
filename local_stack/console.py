"""Print progress, and turn the outcome of a command into an exit code and at most one line of error."""

import signal
import sys
from collections.abc import Callable
from types import FrameType

from local_stack.errors import StackError


def say(line: str) -> None:
    """Print one step of progress, indented under the command's own line."""
    print(f"  {line}", flush=True)


def exit_code(command: Callable[[], int]) -> int:
    """Run a command and return its exit code: 1 for an expected error, 130 when interrupted."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup
            signal.signal(number, _interrupt)
    try:
        return command()
    except StackError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.strerror}: {error.filename}" if error.filename else str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(reason: str) -> int:
    print(f"error: {reason}", file=sys.stderr)
    return 1
