import stat
from pathlib import Path

from local_stack.kafka.broker import Node, command, random_uuid, write_configuration
from local_stack.kafka.java import Java

THREE = Node(2, brokers=[21001, 21002, 21003], controllers=[22001, 22002, 22003])


def test_broker_listens_on_loopback_and_knows_every_voter() -> None:
    settings = THREE.properties()
    assert settings["node.id"] == "2"
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:21002,CONTROLLER://127.0.0.1:22002"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:22001,2@127.0.0.1:22002,3@127.0.0.1:22003"


def test_three_brokers_replicate_three_times_and_need_two_in_sync() -> None:
    settings = THREE.properties()
    factors = {key: value for key, value in settings.items() if key.endswith("replication.factor")}
    assert set(factors.values()) == {"3"}
    assert {"default.replication.factor", "offsets.topic.replication.factor"} < set(factors)
    assert settings["min.insync.replicas"] == settings["transaction.state.log.min.isr"] == "2"


def test_brokers_lose_nothing_that_they_have_acknowledged() -> None:
    """tests/integration/local_stack asks the running brokers for the same."""
    settings = THREE.properties()
    durable = {
        "min.insync.replicas": "2",
        "default.replication.factor": "3",
        "unclean.leader.election.enable": "false",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "3",
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
        "share.coordinator.state.topic.replication.factor": "3",
        "share.coordinator.state.topic.min.isr": "2",
    }
    assert {name: settings[name] for name in durable} == durable


def test_dead_broker_is_noticed_within_three_seconds_and_leads_again_soon() -> None:
    settings = THREE.properties()
    assert int(settings["broker.session.timeout.ms"]) <= 3000
    assert int(settings["replica.lag.time.max.ms"]) <= 3000
    assert int(settings["broker.heartbeat.interval.ms"]) * 3 < int(settings["broker.session.timeout.ms"])
    assert int(settings["leader.imbalance.check.interval.seconds"]) <= 5


def test_files_of_a_broker_are_its_owners_and_its_data_stays(tmp_path: Path) -> None:
    write_configuration(tmp_path, "a cluster", THREE)
    meta = tmp_path / "data" / "meta.properties"
    first = meta.read_text()
    assert first.startswith("version=1\ncluster.id=a cluster\nnode.id=2\ndirectory.id=")
    write_configuration(tmp_path, "a cluster", THREE)
    assert meta.read_text() == first
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    for file in (meta, tmp_path / "server.properties", tmp_path / "log4j2.properties"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_broker_without_memory_ends_and_is_restarted() -> None:
    line = command(Java(Path("/java"), "25.0.2", ""), [])
    assert {"-Xmx128m", "-XX:+ExitOnOutOfMemoryError"} < set(line)


def test_single_broker_keeps_one_replica() -> None:
    settings = Node(1, [21001], [22001]).properties()
    assert settings["default.replication.factor"] == settings["min.insync.replicas"] == "1"


def test_random_uuids_look_like_those_of_kafka() -> None:
    ids = {random_uuid() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 22 and not each.startswith("-") for each in ids)


def test_class_path_keeps_the_order_of_the_jars() -> None:
    java = Java(Path("/java"), "25.0.2", "")
    line = command(java, [Path("/c/a.jar"), Path("/c/b.jar")], ["-XX:AOTCache=x"])
    assert "CLASSPATH=/c/a.jar:/c/b.jar" in line
    assert line.index("/java") < line.index("-XX:AOTCache=x") < line.index("kafka.Kafka")
