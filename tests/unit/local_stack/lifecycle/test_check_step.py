"""Before the producer's workers are replaced: gunicorn would end the old ones also when the new code cannot start."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.lifecycle.steps import CHECK
from local_stack.paths import Paths

ENVIRONMENT = {"DATABASE_URL": "postgresql://nowhere/orders", "KAFKA_BOOTSTRAP_SERVERS": "nowhere:9092"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path / "home")
    paths.create_folders()
    return paths


def test_code_of_now_passes_without_a_database_and_without_kafka(paths: Paths) -> None:
    CHECK.run(paths, os.environ | ENVIRONMENT, Deadline(30))


@pytest.mark.parametrize(
    ("file", "text"),
    [("producer/__init__.py", "import missing_module"), ("gunicorn.conf.py", "import missing_module")],
)
def test_code_that_cannot_be_loaded_is_told_with_its_cause(
    paths: Paths, tmp_path: Path, file: str, text: str
) -> None:
    (tmp_path / "code" / "producer").mkdir(parents=True)
    (tmp_path / "code" / "producer" / "__init__.py").write_text("def create_app(): return lambda e, s: []")
    (tmp_path / "code" / file).write_text(text)
    with pytest.raises(StackError, match=r"check failed: .*missing_module"):
        replace(CHECK, folder=tmp_path / "code").run(paths, os.environ | ENVIRONMENT, Deadline(30))
