"""What three brokers answer in tests."""

from kafka_ui.cluster.picture import Answer, Picture, put_together
from kafka_ui.wire.questions import LogDirs, Metadata, Partition, Quorum, Topic, Voter

ADDRESSES = {1: "127.0.0.1:9092", 2: "127.0.0.1:9093", 3: "127.0.0.1:9094"}
ALL = (1, 2, 3)
QUORUM = Quorum(3, 7, tuple(Voter(each, 100, 0) for each in ALL))


def partition(number: int, in_sync: tuple[int, ...] = ALL, leader: int | None = None) -> Partition:
    """Return a partition with replicas on all brokers; it is led by the first in sync unless told otherwise."""
    return Partition(number, (in_sync or (-1,))[0] if leader is None else leader, ALL, in_sync)


def orders(*partitions: Partition) -> Topic:
    """Return the topic `orders`: of two partitions that have all replicas unless told otherwise."""
    return Topic("orders", False, partitions or (partition(0), partition(1, (2, 3, 1))))


def answer(
    broker: int,
    *topics: Topic,
    registered: tuple[int, ...] = ALL,
    quorum: Quorum | None = QUORUM,
    sizes: dict[tuple[str, int], int] | None = None,
    took_ms: float = 5,
    controller: int = -1,
) -> Answer:
    """Return what a broker that is up answers. registered: the brokers that the cluster counts as there."""
    metadata = Metadata(
        "a-cluster", {each: ADDRESSES[each] for each in registered}, topics or (orders(),), controller
    )
    dirs = LogDirs(sizes or {("orders", 0): 100, ("orders", 1): 50}, 1 << 30)
    return Answer(ADDRESSES[broker], metadata, dirs, quorum, took_ms)


def silence(broker: int) -> Answer:
    """Return the answer of a broker that is dead or hangs."""
    return Answer(ADDRESSES[broker], problem="no answer in time")


def picture(*answers: Answer, in_zookeeper: bool = False) -> Picture:
    """Return the picture of the answers; of three healthy brokers without any."""
    return put_together(list(answers) or [answer(each) for each in ALL], {}, 1000.0, in_zookeeper)
