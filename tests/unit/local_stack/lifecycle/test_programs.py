import stat
from pathlib import Path

from local_stack.addresses import Addresses
from local_stack.config import Settings
from local_stack.lifecycle.programs import app_programs
from local_stack.passwords import create_role_passwords
from local_stack.paths import Paths
from local_stack.ports import PORT_NAMES
from local_stack.services import CONNECTOR, MORE_PROJECTORS, NATIVE_APPS, PROJECTOR, PROJECTORS

ADDRESSES = Addresses.of({name: number for number, name in enumerate(PORT_NAMES, 1)}, "pw")


def test_every_app_has_one_program_in_a_folder_that_exists() -> None:
    programs = app_programs(Paths(Path("/some home")), ADDRESSES, Settings())
    assert tuple(program.name for program in programs) == (*NATIVE_APPS, CONNECTOR, *MORE_PROJECTORS)
    assert all(program.folder.is_dir() for program in programs)


def test_programs_of_web_servers_listen_on_their_own_port() -> None:
    producer, _, consumer, projector, kafka_ui, _, *more = app_programs(
        Paths(Path("/some home")), ADDRESSES, Settings()
    )
    for program, url in (
        (producer, ADDRESSES.producer_url),
        (consumer, ADDRESSES.consumer_url),
        (projector, ADDRESSES.projector_url),
        (kafka_ui, ADDRESSES.kafka_ui_url),
        *((program, ADDRESSES.more_projector_urls[program.name]) for program in more),
    ):
        bind = program.command[program.command.index("--bind") + 1]
        assert f"http://{bind}" == url


def test_programs_of_apps_get_the_topic_and_the_addresses() -> None:
    for program in app_programs(Paths(Path("/some home")), ADDRESSES, Settings(kafka_topic="mine")):
        assert program.environment["KAFKA_TOPIC"] == "mine"
        assert ADDRESSES.public().items() <= program.environment.items()


def test_programs_log_in_to_the_database_as_their_own_role_or_not_at_all(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.home.joinpath("secrets").mkdir()
    create_role_passwords(paths, "orders")
    producer, relay, consumer, projector, kafka_ui, connector, *more = app_programs(
        paths, ADDRESSES, Settings()
    )
    roles = (
        (producer, "producer"),
        (relay, "relay"),
        (projector, "projector"),
        (connector, "connect"),
        *((program, "projector") for program in more),
    )
    for program, role in roles:
        assert program.environment["DATABASE_URL"] == (
            f"postgresql://{role}@127.0.0.1:1/orders?require_auth=scram-sha-256"
        )
        file = Path(program.environment["PGPASSFILE"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().startswith(f"*:*:orders:{role}:")
    for reader in (consumer, kafka_ui):
        assert not {"DATABASE_URL", "PGPASSFILE"} & set(reader.environment)


def test_programs_trust_this_machine_beside_the_hosts_of_the_setting() -> None:
    for program in app_programs(Paths(Path("/home")), ADDRESSES, Settings(trusted_hosts="shop.example")):
        assert program.environment["TRUSTED_HOSTS"] == "localhost,127.0.0.1,[::1],shop.example"


def test_connect_is_told_to_those_who_ask_it_when_there_is_one() -> None:
    with_connect = app_programs(Paths(Path("/home")), ADDRESSES, Settings(publisher="debezium"))
    assert {program.environment["CONNECT_URL"] for program in with_connect} == {ADDRESSES.connect_url}
    assert {program.environment["PUBLISHER"] for program in with_connect} == {"debezium"}
    for program in app_programs(Paths(Path("/home")), ADDRESSES, Settings()):
        assert "CONNECT_URL" not in program.environment
        assert program.environment["PUBLISHER"] == "direct"


def test_each_projector_is_another_member_of_the_group_and_the_same_after_a_restart() -> None:
    programs = app_programs(Paths(Path("/home")), ADDRESSES, Settings())
    names = {each.name: each.environment.get("PROJECTOR_INSTANCE_ID") for each in programs}
    assert {name: each for name, each in names.items() if each} == {
        PROJECTOR: "projector-1",
        **{name: name for name in MORE_PROJECTORS},
    }
    assert len(PROJECTORS) == 12
    others = (
        {k: v for k, v in each.environment.items() if k != "PROJECTOR_INSTANCE_ID"} for each in programs
    )
    of_projectors = [own for each, own in zip(programs, others, strict=True) if each.name in PROJECTORS]
    assert all(own == of_projectors[0] for own in of_projectors)
