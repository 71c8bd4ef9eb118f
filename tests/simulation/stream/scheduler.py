"""Runs threads one at a time, in an order that the plan chooses, on a clock that the plan moves.

Each actor stands for a thread of the product and is a greenlet. It gives the baton back where it waits (a lock, a
condition, a poll, a selector) and at every pause point, if its turn is used up. Nothing else decides what runs, so
a run is the same each time it is played."""

import threading
from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

UNLIMITED = 1 << 30


class Actor:
    """A thread of the product. ready: what it waits for; None while it could run."""

    def __init__(self, name: str, run: Callable[[], object]) -> None:
        self.name = name
        self.greenlet = greenlet(run)
        self.ready: Callable[[], bool] | None = None
        self.deadline: float | None = None
        self.where = "its start"
        self.is_killed = False
        self.pauses = 0

    @property
    def is_done(self) -> bool:
        return bool(self.greenlet.dead)

    def is_runnable(self, now: float) -> bool:
        """Return whether a turn would get it any further."""
        if self.is_done:
            return False
        return self.ready is None or self.ready() or (self.deadline is not None and now >= self.deadline)


class Scheduler:
    """Holds the actors and the clock. paused: called at every pause point of an actor, for checks on the way."""

    def __init__(self, paused: Callable[[Actor], None]) -> None:
        self.now = 1000.0
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self._paused = paused
        self._budget = UNLIMITED
        self._hub = getcurrent()

    def clock(self) -> float:
        """Return the time in seconds."""
        return self.now

    def spawn(self, name: str, run: Callable[[], object]) -> Actor:
        """Add an actor; it runs when it gets a turn."""
        actor = Actor(name, run)
        self.actors.append(actor)
        return actor

    def turn(self, actor: Actor, pauses: int = UNLIMITED) -> bool:
        """Let an actor run until it waits, or for a number of pause points; return whether it could run."""
        if not actor.is_runnable(self.now):
            return False
        self.current, self._budget = actor, pauses
        try:
            actor.greenlet.switch()
        finally:
            self.current = None
        if actor.is_done:
            self.actors.remove(actor)
        return True

    def kill(self, actor: Actor) -> None:
        """End an actor where it stands, as a process that is killed."""
        actor.is_killed = True
        self.current = actor
        try:
            actor.greenlet.throw(GreenletExit)
        finally:
            self.current = None
        self.actors.remove(actor)

    def pause(self, where: str) -> None:
        """Mark a point at which another thread may run."""
        actor = self.current
        if actor is None or actor.is_killed:
            return
        actor.pauses += 1
        self._budget -= 1
        if self._budget <= 0:
            actor.where = where
            self._paused(actor)
            self._hub.switch()
        else:
            self._paused(actor)

    def wait(self, ready: Callable[[], bool], timeout: float | None, where: str) -> bool:
        """Wait until `ready`, for at most `timeout` seconds; return whether it is."""
        actor = self.current
        if actor is None:
            if ready() or timeout is not None:
                return ready()
            raise RuntimeError(f"Nobody could ever end the wait at {where}")
        if actor.is_killed:
            raise GreenletExit
        deadline = None if timeout is None else self.now + timeout
        while not ready():
            if deadline is not None and self.now >= deadline:
                return False
            actor.ready, actor.deadline, actor.where = ready, deadline, where
            self._hub.switch()
            actor.ready = actor.deadline = None
        return True


class SimThreading:
    """Stands in for the module `threading` in the product's modules: its locks are waits of the scheduler.

    scheduler: returns the one of the run that is being played."""

    def __init__(self, scheduler: Callable[[], Scheduler]) -> None:
        self._scheduler = scheduler

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)

    def Lock(self) -> "SimLock":
        return SimLock(self._scheduler())

    def RLock(self) -> "SimLock":
        return SimLock(self._scheduler())

    def Condition(self, lock: "SimLock | None" = None) -> "SimCondition":
        return SimCondition(self._scheduler(), lock or self.RLock())

    def Event(self) -> "SimEvent":
        return SimEvent(self._scheduler())

    def Semaphore(self, value: int = 1) -> "SimSemaphore":
        return SimSemaphore(self._scheduler(), value)

    BoundedSemaphore = Semaphore

    def Thread(
        self, target: Callable[..., object], args: tuple[object, ...] = (), name: str = "", **_: object
    ) -> "SimThread":
        return SimThread(self._scheduler(), lambda: target(*args), name)


class SimLock:
    """A reentrant lock; a plain Lock that its owner takes again would wait for ever, here as there."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.owner: Actor | None = None
        self.depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = self._scheduler.current
        if self.depth and self.owner is me:
            self.depth += 1
            return True
        self._scheduler.pause("taking a lock")
        if not blocking and self.depth:
            return False
        limit = timeout if timeout >= 0 else None
        if not self._scheduler.wait(lambda: not self.depth, limit, "a lock"):
            return False
        self.owner, self.depth = me, 1
        return True

    def release(self) -> None:
        self.depth -= 1
        if not self.depth:
            self.owner = None
            self._scheduler.pause("having left a lock")

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class SimCondition:
    """A condition variable."""

    def __init__(self, scheduler: Scheduler, lock: SimLock) -> None:
        self._scheduler = scheduler
        self._lock = lock
        self._notified = 0
        self.acquire, self.release = lock.acquire, lock.release

    @property
    def is_held(self) -> bool:
        return self._lock.depth > 0

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def notify_all(self) -> None:
        self._notified += 1

    def notify(self, n: int = 1) -> None:
        self._notified += 1  # a spurious wake-up of the others is allowed

    def wait(self, timeout: float | None = None) -> bool:
        depth, before = self._lock.depth, self._notified
        self._lock.depth, self._lock.owner = 0, None
        told = self._scheduler.wait(lambda: self._notified != before, timeout, "a condition")
        self._lock.acquire()
        self._lock.depth = depth
        return told

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        deadline = None if timeout is None else self._scheduler.now + timeout
        while not predicate():
            left = None if deadline is None else deadline - self._scheduler.now
            if left is not None and left <= 0:
                return predicate()
            self.wait(left)
        return True


class SimEvent:
    """A flag to wait for."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._scheduler.wait(self.is_set, timeout, "a flag or a timer")


class SimSemaphore:
    """A counter to wait for."""

    def __init__(self, scheduler: Scheduler, value: int) -> None:
        self._scheduler = scheduler
        self._value = value

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        self._scheduler.pause("a semaphore")
        if not self._scheduler.wait(lambda: self._value > 0, timeout if blocking else 0, "a semaphore"):
            return False
        self._value -= 1
        return True

    def release(self) -> None:
        self._value += 1

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class SimThread:
    """A thread that becomes an actor when it is started."""

    def __init__(self, scheduler: Scheduler, run: Callable[[], object], name: str) -> None:
        self._scheduler = scheduler
        self._run = run
        self.name = name
        self._actor: Actor | None = None

    def start(self) -> None:
        self._actor = self._scheduler.spawn(self.name, self._run)

    def is_alive(self) -> bool:
        return self._actor is not None and not self._actor.is_done

    def join(self, timeout: float | None = None) -> None:
        self._scheduler.wait(lambda: not self.is_alive(), timeout, "a thread's end")
