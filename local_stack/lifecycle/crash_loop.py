"""Notice a service that dies again and again while a start waits for it."""

from collections.abc import Iterable, Mapping

from local_stack.errors import StackError
from local_stack.lifecycle.logs import last_line
from local_stack.paths import Paths
from local_stack.supervisord.client import ProcessInfo

MAX_PROCESSES = 3


class CrashLoopDetector:
    """Counts the processes that each service has used up: a few restarts may heal it, many do not."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._start_times: dict[str, set[int]] = {}

    def observe(self, services: Mapping[str, ProcessInfo], names: Iterable[str]) -> None:
        """Count the present process of each service. Raises StackError when a service has had too many."""
        for name in names:
            start_times = self._start_times.setdefault(name, set())
            start_times.add(services[name].started)
            if len(start_times) > MAX_PROCESSES:
                raise StackError(f"{name} does not stay up: {last_line(self._paths.log(name))}")
