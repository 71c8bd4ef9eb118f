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
    idle_s: how long nobody may read the slot of a connector that says it is running; longer than a start takes.
    warn_part: complain when the slot holds more than this part of the log that PostgreSQL may keep for it.
    warn_bytes: the same without a limit.
    """

    restart_every_s: float = 5.0
    idle_s: float = 30.0
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
        self._read_at = clock()
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
        if slot.active:
            self._read_at = self._clock()
        found = self._connect.config()
        if found != self._config:
            return self._configure(found)
        return self._check_place(slot) or self._keep_running(slot) or self._too_much_kept(slot)

    def _configure(self, found: dict[str, str] | None) -> str:
        """Give the connector its configuration. Connect shows one that it was given a moment later."""
        if self._clock() - self._configured_at >= self._policy.restart_every_s:
            logger.info("%s the connector", "Registering" if found is None else "Configuring")
            self._connect.configure(self._config)
            self._read_at = self._configured_at = self._clock()
        return "The connector is starting"

    def _check_place(self, slot: SlotState) -> str | None:
        """After whatever may have been a restore: a connector that waits for what comes later would read nothing."""
        if not self._is_place_checked:
            place = self._connect.place()
            if place is not None and place > slot.end:
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
        self._renewing, self._read_at = "", self._clock()
        logger.warning("%s: begun anew. What was not read, the relay publishes", loss)
        return f"{loss}: begun anew"

    def _keep_running(self, slot: SlotState) -> str | None:
        connector = self._connect.state()
        if connector is None:
            return "The connector is starting"
        if connector.state == "stopped":
            self._connect.resume()
            return "The connector is starting"
        if connector.state == "paused":
            return "The connector is paused. The relay publishes in the meantime"
        if connector.has_lost_its_place:
            return self._renew("PostgreSQL's log begins behind what the connector wants to read")
        if connector.is_failed:
            return self._restart(f"The connector failed: {connector.reason}", only_failed=True)
        idle_s = self._clock() - self._read_at
        if idle_s > self._policy.idle_s:
            return self._restart(f"Nobody reads the replication slot for {idle_s:.0f} s", only_failed=False)
        return None if slot.active else "The connector is starting"

    def _restart(self, problem: str, only_failed: bool) -> str:
        if self._clock() - self._restarted_at >= self._policy.restart_every_s:
            logger.warning("%s: restarting it", problem)
            self._connect.restart(only_failed)
            self._restarted_at = self._clock()
            if not only_failed:
                self._read_at = self._clock()
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
