"""Debezium publishes, and Kafka Connect is killed under load, on a stack of its own."""

import signal
from collections.abc import Mapping

import pytest

from local_stack.services import CONNECT
from tests.chaos.faults import sent
from tests.chaos.proxied_stack import ProxiedStack
from tests.chaos.table import Row
from tests.chaos.test_faults import assert_the_ledger_agrees
from tests.chaos.trial import Fault, Trial

KILLED = Fault("kill -9: connect, with Debezium", sent(signal.SIGKILL, CONNECT), 90, takes_orders=True)


class CapturedStack(ProxiedStack):
    """A stack whose events Debezium publishes."""

    variables: Mapping[str, str] = {"PUBLISHER": "debezium"}


@pytest.mark.timeout(600)
def test_connect_is_killed_under_load(record: list[Row]) -> None:
    with CapturedStack.started() as stack, Trial.started(stack) as trial:
        assert CONNECT in stack.services()
        record.append(trial.run(KILLED))
        assert_the_ledger_agrees(trial)
