"""The cluster at one moment, put together from what each broker has answered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from kafka_ui.wire.questions import LogDirs, Metadata, Partition, Place, Quorum, Topic

# silent: the cluster counts it as there, but it did not answer in time.
State = Literal["up", "silent", "away"]


@dataclass(frozen=True)
class Answer:
    """What one broker has said within its time; None where it has not. took_ms: the time of its first answer."""

    address: str
    metadata: Metadata | None = None
    log_dirs: LogDirs | None = None
    quorum: Quorum | None = None
    took_ms: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Broker:
    """A broker. address: host:port, "" if it is not known; bytes, usable: on its disk, None if it did not say."""

    id: int
    address: str
    state: State
    leads: int
    replicas: int
    bytes: int | None
    usable: int | None
    took_ms: float | None
    is_controller: bool

    @property
    def name(self) -> str:
        """Its name: natively and in containers, node n is the service kafka-n."""
        return broker_name(self.id)


def broker_name(number: int) -> str:
    """Return the name of a broker by its id."""
    return f"kafka-{number}"


def only(topic: Topic, partitions: Iterable[int]) -> Topic:
    """Return a topic reduced to some of its partitions."""
    wanted = set(partitions)
    return Topic(
        topic.name, topic.is_internal, tuple(each for each in topic.partitions if each.number in wanted)
    )


@dataclass(frozen=True)
class Picture:
    """The cluster at one moment. sizes: bytes by (topic, partition), then by broker. No brokers: none has answered.

    quorum: None when no broker got an answer from an active controller, and where ZooKeeper keeps the metadata.
    at: Unix time in seconds. in_zookeeper: who keeps the metadata.
    """

    cluster_id: str
    brokers: tuple[Broker, ...]
    topics: tuple[Topic, ...]
    quorum: Quorum | None
    sizes: Mapping[Place, Mapping[int, int]]
    at: float
    in_zookeeper: bool = False

    @property
    def is_known(self) -> bool:
        """Whether any broker has described the cluster."""
        return bool(self.brokers)

    @property
    def controller(self) -> Broker | None:
        """The active controller, or None while none is known."""
        return next((broker for broker in self.brokers if broker.is_controller), None)

    @property
    def leader_log_end(self) -> int:
        """How many records the active controller has; 0 without one."""
        voters = self.quorum.voters if self.quorum else ()
        return next((v.log_end for v in voters if self.quorum and v.id == self.quorum.leader), 0)

    def topic(self, name: str) -> Topic | None:
        """Return a topic by its name, or None."""
        return next((topic for topic in self.topics if topic.name == name), None)

    def broker(self, number: int) -> Broker | None:
        """Return a broker by its id, or None."""
        return next((broker for broker in self.brokers if broker.id == number), None)

    def size(self, topic: Topic) -> int:
        """Return the bytes of all replicas of a topic, on the brokers that said."""
        return sum(sum(self.sizes.get((topic.name, each.number), {}).values()) for each in topic.partitions)

    def readable(self, partition: Partition) -> bool:
        """Return whether a partition has a leader that answers."""
        leader = self.broker(partition.leader)
        return leader is not None and leader.state == "up"


def put_together(
    answers: list[Answer], known: Mapping[int, str], at: float, in_zookeeper: bool = False
) -> Picture:
    """Return the picture. known: addresses of brokers seen earlier, by id. in_zookeeper: who keeps the metadata; then
    the controller is a broker that ZooKeeper has chosen.

    Brokers differ for a moment after a change: the active controller's own view is taken if it has answered."""
    quorum = max((each.quorum for each in answers if each.quorum), key=lambda q: q.epoch, default=None)
    described = [each for each in answers if each.metadata]
    if not described:
        return Picture("", (), (), None, {}, at, in_zookeeper)
    metadata = _newest(described, quorum)
    addresses = {**known, **metadata.brokers}
    controller = metadata.controller if in_zookeeper else quorum.leader if quorum else -1
    by_address = {each.address: each for each in answers}
    partitions = [partition for topic in metadata.topics for partition in topic.partitions]
    voters = [voter.id for voter in quorum.voters] if quorum else []
    ids = {*addresses, *voters, *(number for each in partitions for number in each.replicas)}

    def broker(number: int) -> Broker:
        answer = by_address.get(addresses.get(number, ""), Answer(""))
        is_up = answer.metadata is not None
        state: State = "up" if is_up else "silent" if number in metadata.brokers else "away"
        return Broker(
            id=number,
            address=addresses.get(number, ""),
            state=state,
            leads=sum(each.leader == number for each in partitions),
            replicas=sum(number in each.replicas for each in partitions),
            bytes=sum(answer.log_dirs.sizes.values()) if answer.log_dirs else None,
            usable=answer.log_dirs.usable if answer.log_dirs else None,
            took_ms=answer.took_ms,
            is_controller=number == controller,
        )

    brokers = tuple(broker(number) for number in sorted(ids))
    sizes = _sizes(brokers, by_address)
    return Picture(metadata.cluster_id, brokers, metadata.topics, quorum, sizes, at, in_zookeeper)


def _newest(described: list[Answer], quorum: Quorum | None) -> Metadata:
    """Return the metadata of the active controller, else of the broker that answered first."""
    by_speed = sorted(described, key=lambda each: each.took_ms or 0)
    views = [each.metadata for each in by_speed if each.metadata]
    if quorum:
        for each in by_speed:
            if each.metadata and each.metadata.brokers.get(quorum.leader) == each.address:
                return each.metadata
    return views[0]


def _sizes(brokers: tuple[Broker, ...], answers: Mapping[str, Answer]) -> dict[Place, dict[int, int]]:
    sizes: dict[Place, dict[int, int]] = {}
    for broker in brokers:
        answer = answers.get(broker.address)
        for key, size in (answer.log_dirs.sizes if answer and answer.log_dirs else {}).items():
            sizes.setdefault(key, {})[broker.id] = size
    return sizes
