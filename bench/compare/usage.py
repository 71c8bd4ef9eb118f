"""What processes use, also those that are killed and started again meanwhile."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Self

import psutil

SAMPLE_S = 1.0
Find = Callable[[], Mapping[str, Iterable[psutil.Process]]]


class Usage:
    """Samples groups of processes while the block runs.

    cpu_s: the CPU time that each group has used since the beginning; of a process that was killed, what it had used at
    the last sample. peak_mib: the most memory (PSS) that all processes of a group have had.
    """

    def __init__(self, find: Find):
        self._find = find
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began: dict[tuple[int, float], float] = {}
        self._used: dict[str, dict[tuple[int, float], float]] = {}
        self.peak_mib: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._sample()
        self._began = {key: used for group in self._used.values() for key, used in group.items()}
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._sample()

    @property
    def cpu_s(self) -> dict[str, float]:
        return {
            name: sum(used - self._began.get(key, 0.0) for key, used in group.items())
            for name, group in self._used.items()
        }

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        for name, processes in self._find().items():
            group, memory = self._used.setdefault(name, {}), 0.0
            for process in processes:
                try:
                    times = process.cpu_times()
                    group[process.pid, process.create_time()] = times.user + times.system
                    memory += process.memory_full_info().pss / 2**20
                except psutil.Error:
                    continue  # it has ended since it was found
            self.peak_mib[name] = max(self.peak_mib.get(name, 0.0), memory)
