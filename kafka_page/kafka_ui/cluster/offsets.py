"""Where partitions begin and end, asked of their leaders by the picture: each leader at the same time as the others."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from kafka_ui.cluster.picture import Picture
from kafka_ui.wire.connection import Connection
from kafka_ui.wire.encoding import UnreadableResponse
from kafka_ui.wire.questions import EARLIEST, LATEST, Place, Question, Topic, offsets

LEADER_S = 0.7
"""How long a leader may take. With the survey's BROKER_S a page takes less than 2 s."""

AskLeader = Callable[[str, Sequence[Question[dict[Place, int]]]], list[dict[Place, int]]]


def ask_leader(address: str, questions: Sequence[Question[dict[Place, int]]]) -> list[dict[Place, int]]:
    """Ask one broker, for LEADER_S at most. Return nothing of what it did not answer."""
    answers: list[dict[Place, int]] = []
    try:
        with Connection(address, LEADER_S) as connection:
            for question in questions:
                answers.append(connection.ask(question))
    except (OSError, UnreadableResponse):
        pass
    return answers + [{}] * (len(questions) - len(answers))


class Offsets:
    """Asks only leaders that have answered the survey: another one would take the whole of its time."""

    def __init__(self, ask: AskLeader = ask_leader) -> None:
        self._ask = ask

    def ranges(self, picture: Picture, topics: Iterable[Topic]) -> dict[Place, tuple[int, int]]:
        """Return the first offset and the end of each partition whose leader answers."""
        first, end = self._offsets(picture, topics, EARLIEST, LATEST)
        return {place: (first[place], end[place]) for place in first.keys() & end.keys()}

    def at(self, picture: Picture, topics: Iterable[Topic], timestamp_ms: int) -> dict[Place, int]:
        """Return the first offset at or after a time (Unix, ms). Partitions that have none are left out."""
        return self._offsets(picture, topics, timestamp_ms)[0]

    def _offsets(self, picture: Picture, topics: Iterable[Topic], *timestamps: int) -> list[dict[Place, int]]:
        by_leader: dict[str, dict[str, list[int]]] = {}
        for topic in topics:
            for partition in topic.partitions:
                leader = picture.broker(partition.leader)
                if leader is not None and picture.readable(partition):
                    wanted = by_leader.setdefault(leader.address, {})
                    wanted.setdefault(topic.name, []).append(partition.number)
        if not by_leader:
            return [{} for _ in timestamps]

        def ask(leader: str) -> list[dict[Place, int]]:
            return self._ask(leader, [offsets(by_leader[leader], each) for each in timestamps])

        with ThreadPoolExecutor(len(by_leader), "offsets") as pool:
            answers = list(pool.map(ask, by_leader))
        return [
            {place: offset for answer in answers for place, offset in answer[at].items()}
            for at in range(len(timestamps))
        ]
