from pathlib import Path

from local_stack.addresses import Addresses
from local_stack.lifecycle.programs import app_programs
from local_stack.paths import Paths
from local_stack.ports import PORT_NAMES
from local_stack.services import APPS

ADDRESSES = Addresses.of({name: number for number, name in enumerate(PORT_NAMES, 1)}, "pw")


def test_every_app_has_one_program_in_a_folder_that_exists() -> None:
    programs = app_programs(Paths(Path("/some home")), ADDRESSES, "orders")
    assert tuple(program.name for program in programs) == APPS
    assert all(program.folder.is_dir() for program in programs)


def test_programs_of_web_servers_listen_on_their_own_port() -> None:
    producer, _, consumer = app_programs(Paths(Path("/some home")), ADDRESSES, "orders")
    for program, url in ((producer, ADDRESSES.producer_url), (consumer, ADDRESSES.consumer_url)):
        bind = program.command[program.command.index("--bind") + 1]
        assert f"http://{bind}" == url


def test_programs_of_apps_get_the_topic_and_the_addresses() -> None:
    for program in app_programs(Paths(Path("/some home")), ADDRESSES, "mine"):
        assert program.environment["KAFKA_TOPIC"] == "mine"
        assert ADDRESSES.environment().items() <= program.environment.items()
