from configparser import RawConfigParser
from pathlib import Path

from local_stack.services import MORE_PROJECTORS, NAMES
from local_stack.supervisord.configuration import Program, render_configuration, render_script


def parsed() -> RawConfigParser:
    parser = RawConfigParser()
    parser.read_string(render_configuration(Path("/tmp/s/supervisor")))
    return parser


def test_every_service_has_a_program_that_is_restarted_for_ever() -> None:
    parser = parsed()
    for name in NAMES:
        program = parser[f"program:{name}"]
        assert program["autorestart"] == "true"
        assert int(program["startretries"]) >= 1_000_000
        assert program["killasgroup"] == "true"


def test_every_service_is_in_one_group_and_the_apps_stop_first() -> None:
    stores, apps = parsed()["group:stores"], parsed()["group:apps"]
    grouped = (*stores["programs"].split(","), *apps["programs"].split(","))
    assert grouped == (*NAMES, *MORE_PROJECTORS)
    assert int(apps["priority"]) > int(stores["priority"])


def test_each_service_is_asked_to_stop_as_its_policy_says() -> None:
    parser = parsed()
    asked = {
        name: (parser[f"program:{name}"]["stopsignal"], parser[f"program:{name}"]["stopwaitsecs"])
        for name in NAMES
    }
    assert asked == {
        "postgres": ("SIGINT", "10"),
        **dict.fromkeys(("kafka-1", "kafka-2", "kafka-3"), ("SIGTERM", "3")),
        "producer": ("SIGTERM", "20"),
        "relay": ("SIGTERM", "10"),
        "consumer": ("SIGTERM", "15"),
        "projector": ("SIGTERM", "15"),
        "kafka-ui": ("SIGTERM", "10"),
    }


def test_nobody_else_may_talk_to_the_supervisor_and_nothing_starts_by_itself() -> None:
    parser = parsed()
    assert parser["unix_http_server"]["chmod"] == "0700"
    assert "inet_http_server" not in parser
    for name in NAMES:
        assert parser[f"program:{name}"]["autostart"] == "false"
        assert parser[f"program:{name}"]["command"] == f"/bin/sh run/{name}.sh"


def test_postgres_is_stopped_by_a_fast_shutdown() -> None:
    assert parsed()["program:postgres"]["stopsignal"] == "SIGINT"


def test_log_files_are_bounded() -> None:
    parser = parsed()
    assert all(parser[f"program:{name}"]["stdout_logfile_maxbytes"] == "5MB" for name in NAMES)


def test_script_quotes_paths_arguments_and_values() -> None:
    program = Program("relay", ["/a b/python", "-m", "it's"], Path("/c;d e"), {"KEY": "x y'z"})
    text = render_script(program, {"TAG": "1"})
    assert text == (
        "export TAG=1\nexport KEY='x y'\"'\"'z'\ncd '/c;d e' && exec '/a b/python' -m 'it'\"'\"'s'\n"
    )
