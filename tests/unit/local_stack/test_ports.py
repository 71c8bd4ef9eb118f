import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from local_stack.errors import StackError
from local_stack.ports import PORT_NAMES, PORT_RANGE, assign, free_ports, is_free
from local_stack.services import NAMES

ALL = frozenset(NAMES)
NONE: frozenset[str] = frozenset()
USUAL = {"producer": 5001, "consumer": 5002, "kafka-ui": 8080}


def always(port: int) -> bool:
    return True


def all_but(*taken: int) -> Callable[[int], bool]:
    return lambda port: port not in taken


def test_every_port_is_assigned_once() -> None:
    ports = assign({}, USUAL, ALL, NONE, always)
    assert tuple(ports) == PORT_NAMES
    assert len(set(ports.values())) == len(PORT_NAMES)
    assert {name: ports[name] for name in USUAL} == USUAL
    assert all(ports[name] in PORT_RANGE for name in PORT_NAMES if name not in USUAL)


def test_ports_are_none_that_a_system_lends_to_outgoing_connections() -> None:
    """A client that keeps dialling a stopped broker would get that very port as its own."""
    first_ephemeral = 32_768  # Linux; elsewhere 49,152 (RFC 6335)
    lent = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if lent.exists():
        first_ephemeral = min(first_ephemeral, int(lent.read_text().split()[0]))
    ports = assign({}, dict.fromkeys(USUAL, 0), ALL, NONE, always)
    assert all(1024 <= port < first_ephemeral for port in ports.values())
    assert 1024 <= PORT_RANGE.start < PORT_RANGE.stop <= first_ephemeral


def test_port_on_which_somebody_listens_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])
    assert is_free(server_port := next(free_ports())), server_port


def test_ports_stay_from_one_start_to_the_next() -> None:
    before = assign({}, USUAL, ALL, NONE, always)
    assert assign(before, USUAL, ALL, NONE, always) == before


def test_kept_port_that_another_program_took_is_replaced() -> None:
    before = assign({}, USUAL, ALL, NONE, always)
    after = assign(before, USUAL, ALL, NONE, all_but(before["kafka-2-controller"]))
    assert {name for name in PORT_NAMES if after[name] != before[name]} == {"kafka-2-controller"}


def test_broker_port_cannot_change_while_other_brokers_run() -> None:
    before = assign({}, USUAL, ALL, NONE, always)
    with pytest.raises(StackError, match=r"Port \d+ of kafka-1"):
        assign(before, USUAL, {"kafka-1"}, {"kafka-2", "kafka-3"}, all_but(before["kafka-1"]))


def test_port_of_a_zookeeper_cannot_change_while_brokers_or_other_zookeepers_know_it() -> None:
    before = assign({}, USUAL, ALL, NONE, always)
    for running in ({"kafka-2"}, {"zookeeper-2"}):
        for name in ("zookeeper-1", "zookeeper-1-peer", "zookeeper-1-election"):
            with pytest.raises(StackError, match=r"Port \d+ of zookeeper-1"):
                assign(before, USUAL, {"zookeeper-1"}, running, all_but(before[name]))


def test_running_service_keeps_its_port_when_the_setting_changes() -> None:
    before = assign({}, USUAL, ALL, NONE, always)
    after = assign(before, USUAL | {"producer": 6001}, {"relay"}, ALL - {"relay"}, all_but(5001))
    assert after["producer"] == 5001


def test_configured_port_that_is_taken_is_refused_with_the_name_of_its_setting() -> None:
    with pytest.raises(StackError, match="KAFKA_UI_PORT=0"):
        assign({}, USUAL, ALL, NONE, all_but(8080))
    with pytest.raises(StackError, match="CONSUMER_PORT=0"):
        assign({}, USUAL, ALL, NONE, all_but(5002))


def test_configured_port_need_not_be_free_for_a_service_that_does_not_start() -> None:
    assert assign({}, USUAL, {"postgres"}, NONE, all_but(5001))["producer"] == 5001


def test_port_0_takes_a_free_port_and_keeps_it() -> None:
    any_free = dict.fromkeys(USUAL, 0)
    before = assign({}, any_free, ALL, NONE, always)
    assert before["producer"] in PORT_RANGE
    assert assign(before, any_free, ALL, NONE, always) == before


def test_assignment_fails_without_a_free_port() -> None:
    with pytest.raises(StackError, match="No port"):
        assign({}, USUAL, {"postgres"}, NONE, lambda port: False)
