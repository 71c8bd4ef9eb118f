from pathlib import Path

import pytest

from local_stack.errors import StackError
from local_stack.lifecycle.start import Watch
from local_stack.paths import Paths
from local_stack.supervisord.client import Seen


def test_a_few_restarts_are_healing_many_are_not(tmp_path: Path):
    watch = Watch(Paths(tmp_path))
    for started in (1, 1, 2, 3, 3):
        watch.see({"kafka-1": Seen("running", 9, started)}, ["kafka-1"])
    with pytest.raises(StackError, match="kafka-1 does not stay up"):
        watch.see({"kafka-1": Seen("restarting", 0, 4)}, ["kafka-1"])
