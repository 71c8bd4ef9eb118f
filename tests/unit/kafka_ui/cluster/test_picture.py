from kafka_ui.cluster.picture import put_together
from tests.unit.kafka_ui.cluster.answers import ADDRESSES, ALL, answer, orders, partition, picture, silence


def test_all_brokers_are_up_and_one_is_the_active_controller() -> None:
    found = picture()
    assert [(broker.name, broker.state, broker.leads) for broker in found.brokers] == [
        ("kafka-1", "up", 1),
        ("kafka-2", "up", 1),
        ("kafka-3", "up", 0),
    ]
    assert [broker.name for broker in found.brokers if broker.is_controller] == ["kafka-3"]
    assert found.size(orders()) == 3 * 150


def test_broker_that_hangs_is_silent_and_one_that_is_not_registered_is_away() -> None:
    found = picture(answer(1, registered=(1, 2)), silence(2), silence(3))
    assert [broker.state for broker in found.brokers] == ["up", "silent", "away"]
    assert (found.brokers[1].bytes, found.brokers[1].took_ms) == (None, None)


def test_address_of_a_broker_that_is_away_is_remembered() -> None:
    found = put_together([answer(1, registered=(1, 2)), silence(2), silence(3)], ADDRESSES, 0)
    assert [broker.address for broker in found.brokers] == list(ADDRESSES.values())
    assert picture(answer(1, registered=(1,))).brokers[2].address == ""


def test_nothing_is_known_when_no_broker_answers() -> None:
    found = picture(*(silence(each) for each in ALL))
    assert not found.is_known
    assert (found.brokers, found.topics, found.quorum) == ((), (), None)


def test_view_of_the_active_controller_is_taken_if_it_has_answered() -> None:
    behind = answer(1, orders(partition(0)), took_ms=1)
    controller = answer(3, orders(partition(0, (2, 3))), took_ms=9)
    assert picture(behind, controller).topics == (orders(partition(0, (2, 3))),)
    assert picture(behind, silence(3)).topics == (orders(partition(0)),)


def test_partition_is_readable_while_its_leader_answers() -> None:
    found = picture(answer(1), silence(2), answer(3))
    assert [found.readable(each) for each in orders().partitions] == [True, False]
    assert not found.readable(partition(0, (), leader=-1))


def test_controller_of_brokers_with_zookeeper_is_the_one_that_they_name() -> None:
    """With KRaft, what they name is just any broker."""
    told = [answer(each, quorum=None, controller=2) for each in ALL]
    with_zookeeper = picture(*told, in_zookeeper=True).controller
    assert with_zookeeper is not None
    assert with_zookeeper.name == "kafka-2"
    assert picture(*told).controller is None
