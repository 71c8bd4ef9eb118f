from configparser import RawConfigParser
from pathlib import Path

from local_stack.services import NAMES
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
    assert (*stores["programs"].split(","), *apps["programs"].split(",")) == NAMES
    assert int(apps["priority"]) > int(stores["priority"])


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
