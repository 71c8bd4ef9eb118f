"""What the keeper does in each round: it looks at connector and slot, does the next thing that is missing, and tells
what is wrong.

Nothing of it is needed for an event to reach Kafka: what the connector does not publish in time, the relay does. So
each step may fail and is done again in the next round.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from producer.cdc.connect import ConnectorState, ConnectUnavailable
from producer.cdc.slot import MEGABYTE, SlotState, SlotUnavailable

logger = logging.getLogger(__name__)


class ConnectorApi(Protocol):
    """The part of Connect that the keeper uses."""

    def require_started(self) -> None: ...
    def config(self) -> dict[str, str] | None: ...
    def configure(self, config: dict[str, str]) -> None: ...
    def state(self) -> ConnectorState | None: ...
    def restart(self, only_failed: bool) -> None: ...
    def stop(self) -> None: ...
    def resume(self) -> None: ...
    def place(self) -> int | None: ...
    def forget_place(self) -> None: ...


class Slot(Protocol):
    """The part of ReplicationSlot that the keeper uses."""

    def state(self) -> SlotState | None: ...
    def create(self) -> None: ...


@dataclass(frozen=True)
class KeeperPolicy:
    """When the keeper acts and complains.

    restart_every_s: the pause between two restarts of a failed connector, or two attempts to configure it.
    idle_s: how long a connector that says it is running may publish nothing, not even a heartbeat; longer than a start
    takes. Each restart in vain doubles it, up to longest_idle_s: PostgreSQL may decode for minutes what has gathered.
    failures: after so many restarts at the same place in the log the connector begins anew, behind what it cannot
    publish.
    warn_part: complain when the slot holds more than this part of the log that PostgreSQL may keep for it.
    warn_bytes: the same without a limit.
    """

    restart_every_s: float = 5.0
    idle_s: float = 30.0
    longest_idle_s: float = 480.0
    failures: int = 5
    warn_part: float = 0.5
    warn_bytes: int = 1024 * MEGABYTE


class Keeper:
    """Keeps one connector running. One thread may use it."""

    def __init__(
        self,
        connect: ConnectorApi,
        slot: Slot,
        config: dict[str, str],
        policy: KeeperPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._connect, self._slot, self._config = connect, slot, config
        self._policy, self._clock = policy or KeeperPolicy(), clock
        self._restarted_at = self._configured_at = float("-inf")
        self._begin_to_watch()
        self._is_place_checked = False
        self._renewing = ""

    def run_once(self) -> str | None:
        """Do one round; return what is wrong, or None."""
        try:
            return self._look()
        except (ConnectUnavailable, SlotUnavailable) as error:
            self._is_place_checked = False
            return f"{error}. The relay publishes in the meantime"

    def _look(self) -> str | None:
        slot = self._slot.state()
        loss = _loss(slot)
        try:
            self._connect.require_started()
        except ConnectUnavailable as error:
            raise ConnectUnavailable(f"{loss}. {error}" if loss else str(error)) from error
        if slot is None or loss or self._renewing:
            return self._renew(loss or self._renewing)
        if slot.confirmed != self._confirmed:
            self._begin_to_watch(slot.confirmed)
        found = self._connect.config()
        if found != self._config:
            return self._configure(found)
        return self._check_place(slot) or self._keep_running(slot) or self._too_much_kept(slot)

    def _configure(self, found: dict[str, str] | None) -> str:
        """Give the connector its configuration. Connect shows one that it was given a moment later."""
        if self._clock() - self._configured_at >= self._policy.restart_every_s:
            logger.info("%s the connector", "Registering" if found is None else "Configuring")
            self._connect.configure(self._config)
            self._configured_at = self._clock()
            self._begin_to_watch(self._confirmed)
        return "The connector is starting"

    def _begin_to_watch(self, confirmed: int | None = None) -> None:
        """What the connector publishes, heartbeats among it, moves the slot: it has been seen to move, or will be."""
        self._confirmed, self._moved_at, self._idle_since = confirmed, self._clock(), self._clock()
        self._patience_s, self._failures = self._policy.idle_s, 0

    def _check_place(self, slot: SlotState) -> str | None:
        """After whatever may have been a restore: a connector that waits for what comes later would read nothing.

        The log's end is asked for after the place: a connector that reads goes on all the time."""
        if not self._is_place_checked:
            place = self._connect.place()
            if place is not None and place > slot.end:
                now = self._slot.state()
                if now is not None and place > now.end:
                    return self._renew("PostgreSQL's log ends before what the connector has read")
        self._is_place_checked = slot.active
        return None

    def _renew(self, loss: str) -> str:
        """Make the slot anew, and let the connector begin there. Connect forgets only what a stopped one has read."""
        self._renewing = loss
        connector = self._connect.state()
        if connector is not None and (connector.state != "stopped" or connector.tasks):
            self._connect.stop()
            return f"{loss}: stopping the connector to begin anew. The relay publishes in the meantime"
        if connector is not None:
            self._connect.forget_place()
        self._slot.create()
        if connector is not None:
            self._connect.resume()
        self._renewing = ""
        self._begin_to_watch()
        logger.warning("%s: begun anew. What was not read, the relay publishes", loss)
        return f"{loss}: begun anew"

    def _keep_running(self, slot: SlotState) -> str | None:
        connector = self._connect.state()
        if connector is None:
            return "The connector is starting"
        if connector.state == "stopped":
            self._connect.resume()
            self._begin_to_watch(slot.confirmed)
            return "The connector is starting"
        if connector.state == "paused":
            self._begin_to_watch(slot.confirmed)
            return "The connector is paused. The relay publishes in the meantime"
        if connector.has_lost_its_place:
            return self._renew("PostgreSQL's log begins behind what the connector wants to read")
        if connector.is_failed:
            return self._restart_failed(connector.reason)
        return self._watch(slot)

    def _restart_failed(self, reason: str) -> str:
        """A row that Kafka refuses would fail for ever, and with it all that come later; the relay parks it."""
        if self._failures >= self._policy.failures and self._may_restart():
            return self._renew(f"The connector fails at the same place again and again: {reason}")
        return self._restart(f"The connector failed: {reason}", only_failed=True)

    def _watch(self, slot: SlotState) -> str | None:
        """Restart a connector that runs and publishes nothing: one that waits for Kafka does so for ever."""
        if self._clock() - self._idle_since > self._patience_s:
            self._restart("The connector publishes nothing", only_failed=False)
        if self._clock() - self._moved_at > self._policy.idle_s:
            doing = "reads and publishes nothing" if slot.active else "does not read the replication slot"
            return f"The connector says that it is running, but {doing}. The relay publishes in the meantime"
        return None if slot.active else "The connector is starting"

    def _may_restart(self) -> bool:
        return self._clock() - self._restarted_at >= self._policy.restart_every_s

    def _restart(self, problem: str, only_failed: bool) -> str:
        if self._may_restart():
            logger.warning("%s: restarting it", problem)
            self._connect.restart(only_failed)
            self._restarted_at = self._idle_since = self._clock()
            if only_failed:
                self._failures += 1
            else:
                self._patience_s = min(2 * self._patience_s, self._policy.longest_idle_s)
        return f"{problem}. The relay publishes in the meantime"

    def _too_much_kept(self, slot: SlotState) -> str | None:
        limit = slot.limit
        if slot.kept <= (self._policy.warn_bytes if limit is None else limit * self._policy.warn_part):
            return None
        most = "" if limit is None else f" of {limit // MEGABYTE}"
        return f"PostgreSQL keeps {slot.kept // MEGABYTE}{most} MB of its log for the replication slot"


def _loss(slot: SlotState | None) -> str:
    if slot is None:
        return "There is no replication slot"
    return f"The replication slot is lost ({slot.reason})" if slot.lost else ""
