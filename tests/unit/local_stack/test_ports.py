import pytest

from local_stack.errors import StackError
from local_stack.ports import BROKERS, NAMES, OURS, assign

ALL = frozenset({"postgres", *BROKERS, "producer", "relay", "consumer"})
NONE: frozenset[str] = frozenset()
USUAL = {"producer": 5001, "consumer": 5002}


def always(port: int) -> bool:
    return True


def all_but(*taken: int):
    return lambda port: port not in taken


def test_each_name_gets_a_port_of_its_own():
    ports = assign({}, USUAL, ALL, NONE, always)
    assert tuple(ports) == NAMES
    assert len(set(ports.values())) == len(NAMES)
    assert (ports["producer"], ports["consumer"]) == (5001, 5002)
    assert all(ports[name] in OURS for name in NAMES if name not in USUAL)


def test_ports_stay_from_one_start_to_the_next():
    before = assign({}, USUAL, ALL, NONE, always)
    assert assign(before, USUAL, ALL, NONE, always) == before


def test_a_kept_port_that_somebody_took_is_replaced():
    before = assign({}, USUAL, ALL, NONE, always)
    after = assign(before, USUAL, ALL, NONE, all_but(before["kafka-2-controller"]))
    assert {name for name in NAMES if after[name] != before[name]} == {"kafka-2-controller"}


def test_a_brokers_port_cannot_change_while_others_know_it():
    before = assign({}, USUAL, ALL, NONE, always)
    with pytest.raises(StackError, match=r"Port \d+ of kafka-1"):
        assign(before, USUAL, {"kafka-1"}, {"kafka-2", "kafka-3"}, all_but(before["kafka-1"]))


def test_what_runs_keeps_its_port_whatever_is_wished_now():
    before = assign({}, USUAL, ALL, NONE, always)
    after = assign(before, {"producer": 6001, "consumer": 5002}, {"relay"}, ALL - {"relay"}, all_but(5001))
    assert after["producer"] == 5001


def test_a_wished_port_that_is_taken_is_refused_with_the_name_of_its_setting():
    with pytest.raises(StackError, match="CONSUMER_PORT=0"):
        assign({}, USUAL, ALL, NONE, all_but(5002))


def test_a_wished_port_need_not_be_free_for_what_does_not_start():
    assert assign({}, USUAL, {"postgres"}, NONE, all_but(5001))["producer"] == 5001


def test_port_0_takes_any_and_keeps_it():
    before = assign({}, {"producer": 0, "consumer": 0}, ALL, NONE, always)
    assert before["producer"] in OURS
    assert assign(before, {"producer": 0, "consumer": 0}, ALL, NONE, always) == before


def test_no_free_port_at_all_is_said():
    with pytest.raises(StackError, match="No port"):
        assign({}, USUAL, {"postgres"}, NONE, lambda port: False)
