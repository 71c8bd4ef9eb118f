"""Puts the fakes where the product would reach for threads, sockets and Kafka, and makes its ring pausable."""

import functools
import importlib
import inspect
import logging
import os
import pkgutil
import random
import selectors
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from confluent_kafka import TopicPartition
from flask import request

import consumer
from consumer.fanout.client import Client
from tests.simulation.stream.scheduler import SimThreading
from tests.simulation.stream.sockets import FakeSelector, Pipe

playing: list[Any] = []
"""The world that is being played, last."""


def world() -> Any:
    return playing[-1]


@contextmanager
def installed() -> Iterator[None]:
    """Replace what would wait, do I/O, or differ from run to run."""
    for found in pkgutil.walk_packages(consumer.__path__, "consumer."):
        importlib.import_module(found.name)
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with ExitStack() as stack:
        for module in [m for name, m in sorted(sys.modules.items()) if name.startswith("consumer.")]:
            for name, stand_in in _stand_ins().items():
                if name in vars(module) and not _is_own(module.__name__, name):
                    stack.enter_context(patch.object(module, name, stand_in))
        _make_pausable(stack)
        # A set of clients is iterated by their hashes, which would be addresses.
        stack.enter_context(patch.object(Client, "__hash__", lambda client: world().number_of(client)))
        try:
            yield
        finally:
            logging.disable(level)


def _is_own(module: str, name: str) -> bool:
    """Return whether a module defines a name that the others import."""
    return (module, name) in {("consumer.services", "current_services"), ("consumer.fanout.hijack", "hijack")}


def _stand_ins() -> dict[str, object]:
    return {
        "threading": SimThreading(lambda: world().scheduler),
        "selectors": _with(selectors, DefaultSelector=lambda: FakeSelector(world().scheduler)),
        "socket": _with(socket, socketpair=_socket_pair),
        "os": _with(os, kill=lambda *_: world().worker_ended()),
        "random": random.Random(0),
        "Consumer": lambda settings, **_: world().open_consumer(),
        "AdminClient": lambda *_, **__: world().open_admin(),
        "current_services": lambda: request.environ["simulation.services"],
        "render_template": lambda _name, position, **_: position,
        "can_hijack": lambda environ: environ["simulation.hijack"],
        "hijack": _hijack,
        "SLICE_BYTES": 2000,
        "BATCH": 5,
        "PART_OFFSETS": 4,
        "PART_BYTES": 2000,
        "SMALLEST_PART_BYTES": 700,
        "BUFFER_BYTES": 4000,
        "MAX_IN_LINE": 3,
    }


def _with(module: Any, **changes: object) -> SimpleNamespace:
    return SimpleNamespace(**vars(module) | changes)


def _socket_pair() -> tuple[Pipe, Pipe]:
    pipe = Pipe()
    return pipe, pipe


def _hijack(environ: dict[str, Any], take: Callable[[Any, bool], None]) -> Iterator[bytes]:
    yield b""
    sock = environ["gunicorn.socket"]
    take(sock, sock.connection.chunked)


def _make_pausable(stack: ExitStack) -> None:
    """Make every call of these classes a point at which another thread may run, also in the middle of a step."""
    for path in ("consumer.ring.ring.Ring", "consumer.fanout.viewer.Viewer", "consumer.topic.replay.Replay"):
        module, _, name = path.rpartition(".")
        cls = getattr(sys.modules[module], name)
        for attribute, value in list(vars(cls).items()):
            label = f"{name}.{attribute}"
            if attribute.startswith("__"):
                continue
            if isinstance(value, property):
                assert value.fget is not None
                stack.enter_context(patch.object(cls, attribute, property(_pausing(value.fget, label))))
            elif inspect.isfunction(value):
                stack.enter_context(patch.object(cls, attribute, _pausing(value, label)))


def _pausing(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    before = f"before {label}"

    @functools.wraps(function)
    def pausing(*args: Any, **kwargs: Any) -> Any:
        playing[-1].scheduler.pause(before)
        return function(*args, **kwargs)

    return pausing


def world_class() -> Any:
    """Return the class of the world, for mutants of what the pages do."""
    return importlib.import_module("tests.simulation.stream.world").World


__all__ = ["TopicPartition", "installed", "playing", "world", "world_class"]
