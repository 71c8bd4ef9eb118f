import stat
from dataclasses import replace
from pathlib import Path

import pytest

from local_stack.kafka.connect import Worker, command, password_folder, write_configuration
from local_stack.kafka.java import Java

WORKER = Worker(21001, ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"])


def test_worker_listens_on_loopback_only() -> None:
    assert WORKER.properties()["listeners"] == "http://127.0.0.1:21001"


def test_topics_of_connect_have_a_replica_on_each_broker() -> None:
    factors = {
        name: value for name, value in WORKER.properties().items() if name.endswith("replication.factor")
    }
    assert factors == {f"{topic}.storage.replication.factor": "3" for topic in ("config", "offset", "status")}


def test_events_are_written_in_whole_transactions_and_topics_are_made_by_nobody_else() -> None:
    settings = WORKER.properties()
    assert settings["exactly.once.source.support"] == "enabled"
    assert settings["topic.creation.enable"] == "false"


def test_configurations_may_name_the_passwords_and_no_other_file() -> None:
    folder = Path("/home/ada/order stream/.local/secrets/connect")
    settings = replace(WORKER, passwords=folder).properties()
    assert settings["config.providers.directory.param.allowed.paths"] == str(folder)
    assert password_folder(folder) == folder


@pytest.mark.parametrize("name", ["a,b", "a:b", "a}b", "ü", "a\\b"])
def test_folder_that_the_settings_cannot_hold_is_named_from_that_of_the_worker(name: str) -> None:
    home = Path("/home") / name
    settings = replace(WORKER, passwords=home / "secrets/connect").properties()
    assert "config.providers.directory.param.allowed.paths" not in settings
    assert home / "kafka/connect" / password_folder(home / "secrets/connect") == Path(
        "/home", name, "kafka/connect/../../secrets/connect"
    )


def test_files_of_the_worker_are_its_owners_and_it_finds_the_plugins(tmp_path: Path) -> None:
    plugins = tmp_path / "cache, with a comma"
    (plugins / "debezium").mkdir(parents=True)
    for _ in range(2):  # a second start
        write_configuration(tmp_path / "connect", plugins, WORKER)
    file = tmp_path / "connect" / "connect.properties"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert [path.name for path in (file.parent / found["plugin.path"]).iterdir()] == ["debezium"]


def test_command_has_every_jar() -> None:
    line = command(Java(Path("/java"), "25", ""), [Path("/a.jar"), Path("/b.jar")])
    assert "CLASSPATH=/a.jar:/b.jar" in line
    assert line[-2:] == ["org.apache.kafka.connect.cli.ConnectDistributed", "connect.properties"]
