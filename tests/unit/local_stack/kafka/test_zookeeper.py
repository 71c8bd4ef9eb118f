"""The ensemble, and the brokers that keep their metadata in it."""

import stat
from pathlib import Path

from local_stack.kafka import broker, zookeeper, zookeeper_broker
from local_stack.kafka.java import Java
from local_stack.kafka.zookeeper import Server
from local_stack.kafka.zookeeper_broker import Broker

SECOND = Server(
    2, clients=[21001, 21002, 21003], peers=[22001, 22002, 22003], elections=[23001, 23002, 23003]
)
BROKER = Broker(2, brokers=[24001, 24002, 24003], ensemble=["127.0.0.1:21001", "127.0.0.1:21002"])
KRAFT = broker.Node(2, brokers=[24001, 24002, 24003], controllers=[25001, 25002, 25003])
JAVA = Java(Path("/java"), "25", "a build")


def test_server_listens_on_loopback_and_knows_the_others() -> None:
    settings = SECOND.properties()
    assert (settings["clientPort"], settings["clientPortAddress"]) == ("21002", "127.0.0.1")
    assert [settings[f"server.{number}"] for number in (1, 2, 3)] == [
        "127.0.0.1:22001:23001",
        "127.0.0.1:22002:23002",
        "127.0.0.1:22003:23003",
    ]


def test_server_can_only_be_asked_how_it_is() -> None:
    settings = SECOND.properties()
    assert settings["4lw.commands.whitelist"] == "ruok,srvr,mntr"
    assert settings["admin.enableServer"] == "false"
    assert not {"forceSync", "skipACL"} & set(settings)


def test_old_copies_of_the_metadata_are_deleted() -> None:
    settings = SECOND.properties()
    assert int(settings["autopurge.snapRetainCount"]) >= 3
    assert int(settings["autopurge.purgeInterval"]) > 0


def test_session_of_a_broker_is_one_that_the_ensemble_grants() -> None:
    tick_ms = int(SECOND.properties()["tickTime"])
    session_ms = int(BROKER.properties()["zookeeper.session.timeout.ms"])
    assert 2 * tick_ms <= session_ms <= 20 * tick_ms
    assert session_ms == int(KRAFT.properties()["broker.session.timeout.ms"])


def test_broker_has_the_settings_of_one_with_kraft_except_for_who_keeps_the_metadata() -> None:
    ours, theirs = BROKER.properties(), KRAFT.properties()
    new = {name for name in theirs if name.startswith("share.")}
    assert {name: value for name, value in theirs.items() if name not in ours} == {
        **broker.KRAFT,
        **{name: theirs[name] for name in (*new, "node.id", "controller.quorum.voters")},
    }
    common = set(ours) & set(theirs) - {"listeners"}
    assert {name: ours[name] for name in common} == {name: theirs[name] for name in common}
    assert {"min.insync.replicas", "unclean.leader.election.enable", "replica.lag.time.max.ms"} < common
    assert ours["listeners"] == "PLAINTEXT://127.0.0.1:24002"
    assert ours["zookeeper.connect"] == "127.0.0.1:21001,127.0.0.1:21002"


def test_files_are_their_owners_and_data_stays(tmp_path: Path) -> None:
    zookeeper.write_configuration(tmp_path / "z", SECOND)
    zookeeper_broker.write_configuration(tmp_path / "b", BROKER)
    (tmp_path / "z" / "data" / "version-2").mkdir()
    zookeeper.write_configuration(tmp_path / "z", SECOND)
    assert (tmp_path / "z" / "data" / "myid").read_text() == "2\n"
    assert (tmp_path / "z" / "data" / "version-2").exists()
    for folder in ("z", "b"):
        assert stat.S_IMODE((tmp_path / folder / "data").stat().st_mode) == 0o700
    for file in (tmp_path / "z" / "zookeeper.properties", tmp_path / "b" / "server.properties"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_heap_of_a_zookeeper_is_small_and_it_ends_without_one() -> None:
    command = zookeeper.command(JAVA, [Path("/a.jar")])
    assert "-Xmx96m" in command
    assert "-XX:+ExitOnOutOfMemoryError" in command
    assert command[-2:] == ["org.apache.zookeeper.server.quorum.QuorumPeerMain", "zookeeper.properties"]
    assert zookeeper_broker.command(JAVA, [Path("/a.jar")])[-2:] == ["kafka.Kafka", "server.properties"]
