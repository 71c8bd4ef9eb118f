from configparser import RawConfigParser
from pathlib import Path

from local_stack.services import NAMES, Addresses, Service
from local_stack.supervisord.configuration import configuration, script


def parsed() -> RawConfigParser:
    parser = RawConfigParser()
    parser.read_string(configuration(Path("/tmp/s/supervisor")))
    return parser


def test_every_service_has_a_program_that_is_restarted_for_ever():
    parser = parsed()
    for name in NAMES:
        program = parser[f"program:{name}"]
        assert program["autorestart"] == "true"
        assert int(program["startretries"]) >= 1_000_000
        assert program["killasgroup"] == "true"


def test_every_service_is_in_one_group_and_the_apps_stop_first():
    stores, apps = parsed()["group:stores"], parsed()["group:apps"]
    assert (*stores["programs"].split(","), *apps["programs"].split(",")) == NAMES
    assert int(apps["priority"]) > int(stores["priority"])


def test_logs_are_bounded():
    parser = parsed()
    assert all(parser[f"program:{name}"]["stdout_logfile_maxbytes"] == "5MB" for name in NAMES)


def test_a_script_survives_whatever_a_path_holds():
    service = Service("relay", ["/a b/python", "-m", "it's"], Path("/c;d e"), {"KEY": "x y'z"})
    text = script(service, {"MARK": "1"})
    assert text == (
        "export MARK=1\nexport KEY='x y'\"'\"'z'\ncd '/c;d e' && exec '/a b/python' -m 'it'\"'\"'s'\n"
    )


def test_the_addresses_are_those_of_the_ports():
    ports = {"postgres": 1, "kafka-1": 2, "kafka-2": 3, "kafka-3": 4, "producer": 5, "consumer": 6}
    assert Addresses.of(ports, "pw").environment() == {
        "DATABASE_URL": "postgresql://orders:pw@127.0.0.1:1/orders",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2,127.0.0.1:3,127.0.0.1:4",
        "PRODUCER_URL": "http://127.0.0.1:5",
        "CONSUMER_URL": "http://127.0.0.1:6",
    }
