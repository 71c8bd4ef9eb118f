"""In words what is wrong with the cluster, and what that means for orders."""

from collections import Counter
from collections.abc import Iterable

from kafka_ui.cluster.picture import Broker, Picture
from kafka_ui.wire.questions import Partition

UNKNOWN = (
    "No broker answers. Orders are still taken and wait in the outbox; the dashboard shows nothing new until a broker"
    " is back."
)


def problems(picture: Picture, topic_name: str, min_in_sync: int | None) -> list[str]:
    """Return what is wrong, the worst first; nothing when all is well.

    topic_name: the topic of the orders. min_in_sync: how many replicas it needs to take events, None if unknown.
    """
    if not picture.is_known:
        return [UNKNOWN]
    return [
        *_brokers(picture, topic_name, min_in_sync),
        *_quorum(picture),
        *_other_topics(picture, topic_name),
    ]


def _brokers(picture: Picture, topic_name: str, min_in_sync: int | None) -> list[str]:
    """Say in one sentence who is missing, what the orders' topic has left, and what that means."""
    who = _who(picture)
    topic = picture.topic(topic_name)
    if topic is None:
        return [
            f"{who or 'Something is missing'}: there is no topic {topic_name}; orders wait in the outbox."
        ]
    what = _replicas(topic.partitions)
    if not who and not what:
        return []
    counts = f"{', '.join(what)}" if what else f"all {len(topic.partitions)} partitions have all replicas"
    return [f"{who or topic_name}: {counts}; {_meaning(topic.partitions, min_in_sync)}."]


def _who(picture: Picture) -> str:
    away = [broker for broker in picture.brokers if broker.state == "away"]
    silent = [broker for broker in picture.brokers if broker.state == "silent"]
    parts = []
    if away:
        parts.append(f"{_names(away)} {_are(away)} away")
    if silent:
        parts.append(f"{_names(silent)} {'do' if len(silent) > 1 else 'does'} not answer")
    return " and ".join(parts)


def _names(brokers: list[Broker]) -> str:
    return " and ".join(broker.name for broker in brokers)


def _are(brokers: list[Broker]) -> str:
    return "are" if len(brokers) > 1 else "is"


def _replicas(partitions: Iterable[Partition]) -> list[str]:
    """Return such as "4 of 6 partitions have 2 of 3 replicas", the fewest replicas first."""
    every = list(partitions)
    counts = Counter((len(each.in_sync), len(each.replicas)) for each in every)
    found = [
        f"{many} of {len(every)} partitions {'have' if many > 1 else 'has'} {in_sync} of {replicas} replicas"
        for (in_sync, replicas), many in sorted(counts.items())
        if in_sync < replicas
    ]
    leaderless = sum(each.leader < 0 for each in every)
    return [*([f"{leaderless} of {len(every)} partitions have no leader"] if leaderless else []), *found]


def _meaning(partitions: tuple[Partition, ...], min_in_sync: int | None) -> str:
    if any(each.leader < 0 for each in partitions):
        return "orders are still taken, and events of those partitions wait in the outbox"
    if min_in_sync is None:
        return "orders are still taken; whether their events are is not known, as no broker told the topic's settings"
    stuck = sum(len(each.in_sync) < min_in_sync for each in partitions)
    if stuck:
        return (
            f"orders are still taken, and the events of {stuck} of {len(partitions)} partitions wait in the outbox,"
            f" as they need {min_in_sync} replicas"
        )
    return "orders are still taken, and their events arrive"


def _quorum(picture: Picture) -> list[str]:
    if picture.in_zookeeper:
        return _controller(picture)
    if picture.quorum is None:
        return [
            "No active controller answers: until one is elected, no partition gets another leader. A quorum needs"
            " more than half of its voters."
        ]
    return []


def _controller(picture: Picture) -> list[str]:
    if picture.controller is None or picture.controller.state != "up":
        return [
            "No controller answers: until ZooKeeper has made another broker it, no partition gets another leader."
            " ZooKeeper needs more than half of its servers."
        ]
    return []


def _other_topics(picture: Picture, topic_name: str) -> list[str]:
    others = [topic for topic in picture.topics if topic.name != topic_name]
    return [
        f"Topic {topic.name}: {', '.join(what)}." for topic in others if (what := _replicas(topic.partitions))
    ]
