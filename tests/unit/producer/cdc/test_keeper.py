"""The keeper's decisions, round by round, on a Connect and a slot in memory."""

from dataclasses import dataclass, field, replace

import pytest

from producer.cdc.connect import ConnectorState, ConnectUnavailable
from producer.cdc.keeper import Keeper, KeeperPolicy
from producer.cdc.slot import MEGABYTE, SlotState, SlotUnavailable
from tests.clock import FakeClock

CONFIG = {"name": "outbox", "slot.name": "outbox"}
RUNNING = ConnectorState("running", ("running",))
READ = SlotState(active=True, lost=False, reason="", kept=0, end=1000, limit=1024 * MEGABYTE)
RENEWED = ["stop", "forget the place", "resume"]
IN_THE_MEANTIME = "The relay publishes in the meantime"


@dataclass
class FakeConnect:
    """A Connect that does at once what it is asked to. done: what it was asked to do."""

    stored: dict[str, str] | None = None
    status: ConnectorState | None = None
    done: list[str] = field(default_factory=list)
    is_away: bool = False
    remembered: int | None = None

    def require_started(self) -> None:
        self._answer()

    def config(self) -> dict[str, str] | None:
        self._answer()
        return self.stored

    def configure(self, config: dict[str, str]) -> None:
        self._do("configure")
        self.stored, self.status = config, RUNNING

    def state(self) -> ConnectorState | None:
        self._answer()
        return self.status

    def restart(self, only_failed: bool) -> None:
        self._do("restart what failed" if only_failed else "restart")
        self.status = RUNNING

    def stop(self) -> None:
        self._do("stop")
        self.status = ConnectorState("stopped")

    def resume(self) -> None:
        self._do("resume")
        self.status = RUNNING

    def place(self) -> int | None:
        self._answer()
        return self.remembered

    def forget_place(self) -> None:
        assert self.status == ConnectorState("stopped"), "Connect refuses this while a task may run"
        self._do("forget the place")
        self.remembered = None

    def _do(self, what: str) -> None:
        self._answer()
        self.done.append(what)

    def _answer(self) -> None:
        if self.is_away:
            raise ConnectUnavailable("Kafka Connect does not answer at http://connect: refused")


@dataclass
class FakeSlot:
    """A slot that the connector, where it runs, reads. is_still: it reads and publishes nothing."""

    now: SlotState | None
    made: int = 0
    problem: str = ""
    is_still: bool = False

    def state(self) -> SlotState | None:
        if self.problem:
            raise SlotUnavailable(self.problem)
        if self.now is not None and self.now.active and not self.is_still:
            self.now = replace(self.now, confirmed=self.now.confirmed + 1, end=self.now.end + 1)
        return self.now

    def create(self) -> None:
        self.made += 1
        self.now = READ


class Harness:
    def __init__(self, slot: SlotState | None = READ) -> None:
        self.connect, self.slot, self.clock = FakeConnect(), FakeSlot(slot), FakeClock()
        self.keeper = Keeper(self.connect, self.slot, CONFIG, KeeperPolicy(), self.clock)

    def rounds(self, count: int = 1) -> str | None:
        """Do some rounds, a second apart; return what the last one said."""
        said = None
        for _ in range(count):
            said = self.keeper.run_once()
            self.clock.now += 1
        return said


@pytest.fixture
def running() -> Harness:
    harness = Harness()
    assert harness.rounds(2) is None
    harness.connect.done.clear()
    return harness


def test_new_connector_is_registered_once_and_then_left_alone() -> None:
    harness = Harness()
    assert harness.rounds() == "The connector is starting"
    assert harness.rounds(5) is None
    assert harness.connect.done == ["configure"]
    assert harness.connect.stored == CONFIG


def test_connect_that_shows_a_new_configuration_late_is_not_given_it_in_every_round() -> None:
    harness = Harness()
    harness.rounds()
    harness.connect.stored = None
    harness.rounds(4)
    assert harness.connect.done == ["configure"]
    harness.rounds(2)
    assert harness.connect.done == ["configure", "configure"]


def test_changed_configuration_is_put_right(running: Harness) -> None:
    running.clock.now += 60
    running.connect.stored = CONFIG | {"snapshot.mode": "initial"}
    running.rounds()
    assert running.connect.done == ["configure"]
    assert running.connect.stored == CONFIG


def test_failed_task_is_restarted_with_a_pause_and_its_reason_is_told(running: Harness) -> None:
    failed = ConnectorState("running", ("failed",), "PSQLException: FATAL: password authentication failed")
    for _ in range(6):
        running.connect.status = failed
        said = running.rounds()
    assert said == f"The connector failed: {failed.reason}. {IN_THE_MEANTIME}"
    assert running.connect.done == ["restart what failed"] * 2
    assert running.rounds() is None


def test_row_that_is_refused_for_ever_is_left_behind(running: Harness) -> None:
    """It is the relay's to park. All others would wait behind it."""
    running.slot.is_still = True
    failed = ConnectorState("running", ("failed",), "RecordTooLargeException")
    for _ in range(25):
        running.connect.status = failed
        running.rounds()
    assert running.connect.done == ["restart what failed"] * 5
    running.connect.status = failed
    assert running.rounds() == (
        "The connector fails at the same place again and again: RecordTooLargeException:"
        f" stopping the connector to begin anew. {IN_THE_MEANTIME}"
    )
    running.slot.is_still = False
    running.rounds()
    assert (running.slot.made, running.connect.done[5:]) == (1, RENEWED)
    assert running.rounds() is None


def test_connector_that_gets_on_between_its_failures_is_only_restarted(running: Harness) -> None:
    for _ in range(60):
        running.connect.status = ConnectorState("running", ("failed",), "TimeoutException")
        running.rounds()
    assert set(running.connect.done) == {"restart what failed"}
    assert running.slot.made == 0


def test_connector_that_reads_the_slot_and_publishes_nothing_is_told_and_restarted(running: Harness) -> None:
    """As when the topic of its heartbeats is gone: it waits for that for ever, and says that it runs."""
    running.slot.is_still = True
    assert running.rounds(30) is None
    told = f"The connector says that it is running, but reads and publishes nothing. {IN_THE_MEANTIME}"
    assert running.rounds(2) == told
    assert running.connect.done == ["restart"]
    assert running.rounds(58) == told  # until it has published something
    assert running.connect.done == ["restart"]
    running.slot.is_still = False
    assert running.rounds() is None


def test_restarts_in_vain_become_rare(running: Harness) -> None:
    """PostgreSQL may need minutes until it has decoded what has gathered, and a restart begins that anew."""
    running.slot.is_still = True
    running.rounds(3600)
    assert len(running.connect.done) == pytest.approx(10, abs=1)


def test_connector_that_was_resumed_after_a_long_pause_has_time_to_start(running: Harness) -> None:
    running.slot.is_still = True
    running.connect.status = ConnectorState("paused", ("paused",))
    running.rounds(60)
    running.connect.status = RUNNING
    assert running.rounds(29) is None
    assert running.connect.done == []


def test_connector_that_says_it_runs_and_reads_nothing_is_restarted(running: Harness) -> None:
    """Connect's status may be one of before a restart of its own; PostgreSQL knows who reads."""
    running.slot.now = replace(READ, active=False)
    assert running.rounds(10) == "The connector is starting"
    assert running.connect.done == []
    assert running.rounds(22) == (
        f"The connector says that it is running, but does not read the replication slot. {IN_THE_MEANTIME}"
    )
    assert running.connect.done == ["restart"]


def test_missing_slot_is_made_before_there_is_a_connector() -> None:
    harness = Harness(slot=None)
    assert harness.rounds() == "There is no replication slot: begun anew"
    assert harness.rounds(3) is None
    assert (harness.slot.made, harness.connect.done) == (1, ["configure"])


def test_lost_slot_is_made_anew_while_the_connector_is_stopped(running: Harness) -> None:
    running.slot.now = replace(READ, active=False, lost=True, reason="wal_removed")
    assert running.rounds() == (
        f"The replication slot is lost (wal_removed): stopping the connector to begin anew. {IN_THE_MEANTIME}"
    )
    assert running.slot.made == 0
    assert running.rounds() == "The replication slot is lost (wal_removed): begun anew"
    assert running.connect.done == RENEWED
    assert running.rounds() is None


def test_connector_whose_place_is_gone_from_the_log_begins_anew(running: Harness) -> None:
    """As when it has seen the slot made anew without it: Debezium refuses to leave anything out."""
    running.connect.status = ConnectorState("running", ("failed",), "…", has_lost_its_place=True)
    said = running.rounds(2)
    assert said == "PostgreSQL's log begins behind what the connector wants to read: begun anew"
    assert running.connect.done == RENEWED
    assert running.rounds() is None


def test_connector_that_waits_for_what_a_restored_database_does_not_have_yet_begins_anew(
    running: Harness,
) -> None:
    running.connect.remembered = 2000
    assert running.rounds(3) is None  # nothing has happened that could have been a restore
    running.slot.problem = "PostgreSQL: connection refused"
    running.rounds()
    running.slot.problem = ""
    said = running.rounds(2)
    assert said == "PostgreSQL's log ends before what the connector has read: begun anew"
    assert running.connect.done == RENEWED
    assert running.rounds(3) is None


def test_connector_that_reads_on_while_the_keeper_looks_is_not_taken_for_one_that_is_ahead_of_the_log(
    running: Harness,
) -> None:
    """Its place is asked for after the log's end."""
    running.slot.problem = "PostgreSQL: connection refused"
    running.rounds()
    running.slot.problem = ""
    assert running.slot.now is not None
    running.slot.now = replace(running.slot.now, end=1000)
    running.connect.remembered = 1002  # the log ends at 1001 when it is first asked, and at 1002 after that
    assert running.rounds() is None
    assert (running.slot.made, running.connect.done) == (0, [])


def test_connector_is_not_taken_for_stopped_while_a_task_is_left(running: Harness) -> None:
    running.slot.now = None
    running.connect.status = ConnectorState("stopped", ("running",))
    running.rounds()
    assert running.slot.made == 0


def test_keeper_that_died_between_making_the_slot_and_resuming_is_followed_by_one_that_resumes(
    running: Harness,
) -> None:
    running.connect.status = ConnectorState("stopped")
    assert running.rounds() == "The connector is starting"
    assert running.connect.done == ["resume"]


def test_connector_that_somebody_has_paused_stays_paused_and_that_is_told(running: Harness) -> None:
    running.connect.status = ConnectorState("paused", ("paused",))
    running.slot.now = replace(READ, active=False)
    assert running.rounds(60) == f"The connector is paused. {IN_THE_MEANTIME}"
    assert running.connect.done == []


def test_connect_that_does_not_answer_is_told_with_its_address(running: Harness) -> None:
    running.connect.is_away = True
    assert running.rounds() == f"Kafka Connect does not answer at http://connect: refused. {IN_THE_MEANTIME}"
    running.connect.is_away = False
    assert running.rounds() is None


def test_slot_that_is_lost_while_connect_is_away_is_told_as_well(running: Harness) -> None:
    running.connect.is_away = True
    running.slot.now = replace(READ, active=False, lost=True, reason="wal_removed")
    said = running.rounds() or ""
    assert said.startswith("The replication slot is lost (wal_removed). Kafka Connect does not answer")


def test_database_that_does_not_answer_is_told(running: Harness) -> None:
    running.slot.problem = "PostgreSQL: connection refused"
    assert running.rounds() == f"PostgreSQL: connection refused. {IN_THE_MEANTIME}"


@pytest.mark.parametrize(
    ("kept", "limit", "told"),
    [
        (511, 1024, None),
        (513, 1024, "PostgreSQL keeps 513 of 1024 MB of its log for the replication slot"),
        (1000, None, None),
        (1025, None, "PostgreSQL keeps 1025 MB of its log for the replication slot"),
    ],
)
def test_slot_that_holds_much_of_the_log_is_told_before_it_is_lost(
    running: Harness, kept: int, limit: int | None, told: str | None
) -> None:
    most = None if limit is None else limit * MEGABYTE
    running.slot.now = replace(READ, kept=kept * MEGABYTE, limit=most)
    assert running.rounds() == told
