from pathlib import Path

from local_stack.kafka.broker import Node, command, random_uuid
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
