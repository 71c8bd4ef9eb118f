from pathlib import Path

import pytest

from local_stack.config import Settings
from local_stack.errors import StackError
from local_stack.lifecycle.preparation import Preparation
from local_stack.paths import Paths
from local_stack.services import CONNECT


def test_folder_that_kafka_connect_cannot_name_is_refused_before_anything_is_downloaded(
    tmp_path: Path,
) -> None:
    paths = Paths(tmp_path / "a, b")
    paths.create_folders()
    with pytest.raises(StackError, match="PUBLISHER=debezium needs a folder without , in its path"):
        Preparation(paths, Settings(publisher="debezium"), print).run({CONNECT}, set())
