"""Points at which a process of the producer or the relay dies when it is asked to.

Python loads this module in every process whose PYTHONPATH has its folder. A point is armed by a file of its name in
the folder that DEATH_POINTS names; the process that gets there first takes the file away and kills itself.
"""

import importlib.abc
import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

FOLDER = os.environ.get("DEATH_POINTS", "")


def die_at(point: str) -> None:
    try:
        os.unlink(os.path.join(FOLDER, point))
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _around(owner: Any, name: str, before: Callable[..., None], after: Callable[..., None]) -> None:
    inner = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        before(*arguments)
        result = inner(*arguments, **named)
        after(*arguments)
        return result

    setattr(owner, name, call)


def _nothing(*arguments: Any) -> None: ...


def _point(name: str) -> Callable[..., None]:
    return lambda *arguments: die_at(name)


def _die_after_delivery(point: str, flush: Callable[[Any], object]) -> Callable[..., None]:
    """Deliver what has been handed to Kafka, then die: the event is in Kafka, and its row is in the outbox."""

    def after(owner: Any, *arguments: Any) -> None:
        if os.path.exists(os.path.join(FOLDER, point)):
            flush(owner)
            die_at(point)

    return after


def _group_commit(module: ModuleType) -> None:
    _around(module.GroupCommit, "_execute", _point("before-commit"), _point("after-commit"))


def _publisher(module: ModuleType) -> None:
    flush = _die_after_delivery("producer-after-produce", lambda publisher: publisher._producer.flush(5))
    _around(module.Publisher, "publish", _nothing, flush)


def _dispatch(module: ModuleType) -> None:
    def flush_if_claimed(dispatcher: Any) -> None:
        dispatcher.flush(5)

    inner = module.Dispatcher._publish

    def publish(dispatcher: Any, *arguments: Any, **named: Any) -> None:
        inner(dispatcher, *arguments, **named)
        _die_after_delivery("relay-after-produce", flush_if_claimed)(dispatcher)

    module.Dispatcher._publish = publish


def _outbox(module: ModuleType) -> None:
    _around(module.Outbox, "delete", _point("after-read-back"), _nothing)


CHANGES = {
    "producer.domain.group_commit": _group_commit,
    "producer.publishing.publisher": _publisher,
    "producer.relay.dispatch": _dispatch,
    "producer.relay.outbox": _outbox,
}


class _Loader(importlib.abc.Loader):
    def __init__(self, spec: ModuleSpec):
        self._inner = spec.loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec) if self._inner else None

    def exec_module(self, module: ModuleType) -> None:
        assert self._inner is not None
        self._inner.exec_module(module)
        CHANGES[module.__name__](module)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in CHANGES:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((each for each in found if each is not None), None)
        if spec is not None:
            spec.loader = _Loader(spec)
        return spec


if FOLDER and os.environ.get("LOCAL_STACK_SERVICE") in ("producer", "relay"):
    sys.meta_path.insert(0, _Finder())
