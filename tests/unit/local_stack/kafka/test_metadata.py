"""Kafka with KRaft and with ZooKeeper are two clusters: one does not begin where the events are in the other."""

from pathlib import Path

import pytest

from local_stack.errors import StackError
from local_stack.kafka import metadata
from local_stack.paths import Paths


def test_first_start_is_with_kraft_and_either_is_allowed(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.create_folders()
    (paths.kafka / "connect").mkdir()
    assert metadata.keeper_of(paths) == "kraft"
    metadata.check(paths, "kraft")
    metadata.check(paths, "zookeeper")


def test_later_commands_follow_the_data_and_the_other_kafka_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    (paths.kafka_zookeeper / "kafka-1" / "data").mkdir(parents=True)
    assert metadata.keeper_of(paths) == "zookeeper"
    metadata.check(paths, "zookeeper")
    with pytest.raises(
        StackError, match=r"in Kafka with ZooKeeper \(.*kafka-zookeeper\); with KRaft it would"
    ):
        metadata.check(paths, "kraft")


def test_kraft_that_has_events_is_not_left_for_zookeeper(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    (paths.kafka / "kafka-1" / "data").mkdir(parents=True)
    assert metadata.keeper_of(paths) == "kraft"
    with pytest.raises(StackError, match=r"reset\. To move with them: docs/zookeeper\.md"):
        metadata.check(paths, "zookeeper")


def test_brokers_are_not_started_with_zookeepers_of_which_most_have_lost_their_data(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.create_folders()
    data = paths.kafka_zookeeper / "kafka-1" / "data"
    data.mkdir(parents=True)
    metadata.check(paths, "zookeeper")  # a first start that was killed
    (data / "meta.properties").touch()
    with pytest.raises(StackError, match="of the ZooKeepers none: no majority"):
        metadata.check(paths, "zookeeper")
    (paths.kafka_zookeeper / "zookeeper-3" / "data" / "version-2").mkdir(parents=True)
    with pytest.raises(StackError, match="of the ZooKeepers zookeeper-3: no majority"):
        metadata.check(paths, "zookeeper")
    (paths.kafka_zookeeper / "zookeeper-1" / "data" / "version-2").mkdir(parents=True)
    metadata.check(paths, "zookeeper")
