"""A fault under load, healed: nothing that was acknowledged is missing, and what was said meanwhile was true."""

import json

import pytest

from tests.chaos.faults import FAULTS, QUICK
from tests.chaos.table import Row
from tests.chaos.trial import Fault, Trial

CASES = [
    pytest.param(each, id=each.name, marks=[pytest.mark.quick] * (each.name in QUICK)) for each in FAULTS
]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", CASES)
def test_fault(trial: Trial, fault: Fault, record: list[Row]) -> None:
    record.append(trial.run(fault))


@pytest.mark.quick
def test_the_ledger_agrees(trial: Trial) -> None:
    """The product's own ledger, after all of it."""
    assert_the_ledger_agrees(trial)


def assert_the_ledger_agrees(trial: Trial) -> None:
    figures = json.loads(trial.stack.run("ledger", "--json").stdout)
    assert figures["missing"] == figures["never_committed"] == figures["out_of_order"] == 0
    assert figures["in_outbox"] == figures["parked"] == 0
    assert figures["committed"] == figures["in_kafka"] > 0
