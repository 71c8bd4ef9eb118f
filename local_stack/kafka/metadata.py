"""Who keeps Kafka's metadata: the brokers themselves (KRaft), or ZooKeeper.

Each has a cluster and a folder of its own: started with one, Kafka knows nothing of what it was told with the other."""

from pathlib import Path
from typing import Literal

from local_stack.errors import StackError
from local_stack.paths import Paths

Keeper = Literal["kraft", "zookeeper"]

NAMES: dict[Keeper, str] = {"kraft": "KRaft", "zookeeper": "ZooKeeper"}


def keeper_of(paths: Paths) -> Keeper:
    """Return who keeps the metadata of the brokers whose data is there: KRaft where there is none."""
    with_zookeeper = _has_data(paths, "zookeeper") and not _has_data(paths, "kraft")
    return "zookeeper" if with_zookeeper else "kraft"


def check(paths: Paths, wanted: Keeper) -> None:
    """Raise StackError where brokers of the other kind have data: their events would be gone from everybody's sight,
    while their orders stay."""
    other: Keeper = "kraft" if wanted == "zookeeper" else "zookeeper"
    if _has_data(paths, other):
        raise StackError(
            f"The events of this stack are in Kafka with {NAMES[other]} ({_folder(paths, other)}); with {NAMES[wanted]}"
            " it would begin without them. To begin anew, without the orders: ./start_project.sh reset."
            " To move with them: docs/zookeeper.md."
        )


def _folder(paths: Paths, keeper: Keeper) -> Path:
    return paths.kafka if keeper == "kraft" else paths.kafka_zookeeper


def _has_data(paths: Paths, keeper: Keeper) -> bool:
    return any(_folder(paths, keeper).glob("kafka-*/data"))
