from pathlib import Path

import pytest

from local_stack.errors import StackError
from local_stack.lifecycle.crash_loop import CrashLoopDetector
from local_stack.paths import Paths
from local_stack.supervisord.client import ProcessInfo


def test_crash_loop_is_a_fourth_process_of_one_service(tmp_path: Path) -> None:
    detector = CrashLoopDetector(Paths(tmp_path))
    for started in (1, 1, 2, 3, 3):
        detector.observe({"kafka-1": ProcessInfo("running", 9, started)}, ["kafka-1"])
    with pytest.raises(StackError, match="kafka-1 does not stay up: it wrote no output"):
        detector.observe({"kafka-1": ProcessInfo("restarting", 0, 4)}, ["kafka-1"])
