from kafka_ui.cluster.diagnosis import UNKNOWN, problems
from kafka_ui.cluster.picture import Picture
from kafka_ui.wire.questions import Topic
from tests.unit.kafka_ui.cluster.answers import ALL, answer, orders, partition, picture, silence


def told(found: Picture, min_in_sync: int | None = 2) -> list[str]:
    return problems(found, "orders", min_in_sync)


def test_nothing_is_wrong_with_three_healthy_brokers() -> None:
    assert told(picture()) == []


def test_broker_that_is_away_is_named_with_what_is_left() -> None:
    topic = orders(*(partition(each, (1, 3)) for each in range(4)), partition(4), partition(5))
    found = picture(answer(1, topic, registered=(1, 3)), silence(2), answer(3, topic, registered=(1, 3)))
    assert told(found) == [
        "kafka-2 is away: 4 of 6 partitions have 2 of 3 replicas; orders are still taken, and their events arrive."
    ]


def test_two_brokers_away_leave_events_in_the_outbox() -> None:
    topic = orders(partition(0, (1,)), partition(1, (1,)))
    alone = answer(1, topic, registered=(1,), quorum=None)
    first, second = told(picture(alone, silence(2), silence(3)))
    assert first == (
        "kafka-2 and kafka-3 are away: 2 of 2 partitions have 1 of 3 replicas; orders are still taken, and the"
        " events of 2 of 2 partitions wait in the outbox, as they need 2 replicas."
    )
    assert second.startswith("No active controller answers")


def test_broker_that_hangs_is_told_before_the_cluster_notices() -> None:
    (problem,) = told(picture(answer(1), silence(2), answer(3)))
    assert problem == (
        "kafka-2 does not answer: all 2 partitions have all replicas; orders are still taken, and their events arrive."
    )


def test_partitions_without_a_leader_and_other_topics_are_told() -> None:
    other = Topic("other", False, (partition(0, (1, 2)),))
    topic = orders(partition(0, (3,), leader=-1), partition(1))
    first, second = told(picture(*(answer(each, topic, other) for each in ALL)))
    assert first.startswith(
        "orders: 1 of 2 partitions have no leader, 1 of 2 partitions has 1 of 3 replicas; "
    )
    assert second == "Topic other: 1 of 1 partitions has 2 of 3 replicas."


def test_what_cannot_be_known_is_said() -> None:
    assert told(picture(*(silence(each) for each in ALL))) == [UNKNOWN]
    topic = orders(partition(0, (1,)))
    (problem,) = told(picture(*(answer(each, topic) for each in ALL)), min_in_sync=None)
    assert "is not known, as no broker told the topic's settings" in problem


def test_missing_topic_is_told() -> None:
    assert "there is no topic elsewhere" in problems(picture(), "elsewhere", None)[0]


def test_brokers_with_zookeeper_need_no_quorum_but_a_controller_that_is_up() -> None:
    assert told(picture(*(answer(each, quorum=None, controller=2) for each in ALL), in_zookeeper=True)) == []
    dead = [answer(each, quorum=None, controller=2) for each in (1, 3)]
    _, problem = told(picture(*dead, silence(2), in_zookeeper=True))
    assert problem.startswith("No controller answers: until ZooKeeper has made another broker it")
