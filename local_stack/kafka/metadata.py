"""Who keeps Kafka's metadata: the brokers themselves (KRaft), or ZooKeeper.

Each has a cluster and a folder of its own: started with one, Kafka knows nothing of what it was told with the other."""

from pathlib import Path
from typing import Literal

from local_stack.errors import StackError
from local_stack.paths import Paths

Keeper = Literal["kraft", "zookeeper"]

MAJORITY = 2
NAMES: dict[Keeper, str] = {"kraft": "KRaft", "zookeeper": "ZooKeeper"}


def keeper_of(paths: Paths) -> Keeper:
    """Return who keeps the metadata of the brokers whose data is there: KRaft where there is none."""
    with_zookeeper = _has_data(paths, "zookeeper") and not _has_data(paths, "kraft")
    return "zookeeper" if with_zookeeper else "kraft"


def check(paths: Paths, wanted: Keeper) -> None:
    """Raise StackError where brokers of the other kind have data: their events would be gone from everybody's sight,
    while their orders stay.

    Also where most of the ZooKeepers have lost their data: the others would follow the empty ones.
    """
    other: Keeper = "kraft" if wanted == "zookeeper" else "zookeeper"
    if _has_data(paths, other):
        raise StackError(
            f"The events of this stack are in Kafka with {NAMES[other]} ({_folder(paths, other)}); with {NAMES[wanted]}"
            " it would begin without them. To begin anew, without the orders: ./start_project.sh reset."
            " To move with them: docs/zookeeper.md."
        )
    folder = paths.kafka_zookeeper
    have_data = [each.parent.parent.name for each in folder.glob("zookeeper-*/data/version-2")]
    if (
        wanted == "zookeeper"
        and len(have_data) < MAJORITY
        and any(folder.glob("kafka-*/data/meta.properties"))
    ):
        raise StackError(
            f"Brokers have data in {folder}, and of the ZooKeepers {', '.join(sorted(have_data)) or 'none'}: no"
            " majority knows the topics. Put the folders zookeeper-* back; without them, to make the events anew from"
            " the orders: docs/zookeeper.md, 'begin with an empty Kafka'."
        )


def _folder(paths: Paths, keeper: Keeper) -> Path:
    return paths.kafka if keeper == "kraft" else paths.kafka_zookeeper


def _has_data(paths: Paths, keeper: Keeper) -> bool:
    return any(_folder(paths, keeper).glob("kafka-*/data"))
