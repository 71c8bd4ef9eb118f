"""Puts the fakes where the product would reach for threads, clocks and random numbers."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import producer.domain.group_commit
import producer.domain.models
import producer.publishing.breaker
import producer.publishing.publisher
import producer.relay.readback
import producer.web.backlog
import producer.web.health
from producer.relay.backoff import Backoff
from tests.simulation.stream.scheduler import SimThreading

playing: list[Any] = []
"""The world that is being played, last."""


def world() -> Any:
    return playing[-1]


@contextmanager
def installed() -> Iterator[None]:
    """Replace what would wait, do I/O, or differ from run to run."""
    threading = SimThreading(lambda: world().scheduler)
    stand_ins: list[tuple[Any, str, Any]] = [
        (producer.domain.group_commit, "threading", threading),
        (producer.publishing.breaker, "threading", threading),
        (producer.publishing.publisher, "threading", threading),
        (producer.domain.models, "uuid7", lambda: world().new_id()),
        (producer.domain.models, "datetime", SimpleNamespace(now=lambda zone: world().wall_clock())),
        (producer.relay.readback, "Backoff", partial(Backoff, rand=lambda: 0.5)),
        (producer.web.health, "current_services", lambda: world().services),
    ]
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with ExitStack() as stack:
        for module, name, stand_in in stand_ins:
            stack.enter_context(patch.object(module, name, stand_in))
        try:
            yield
        finally:
            logging.disable(level)
