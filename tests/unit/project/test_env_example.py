"""`.env.example` names every setting with its default."""

import re

import pytest
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from consumer.config import Settings as ConsumerSettings
from kafka_ui.config import Settings as KafkaUISettings
from local_stack.config import Settings as StackSettings
from producer.config import Settings as ProducerSettings
from projector.config import Settings as ProjectorSettings
from tests.project import ROOT

DOCUMENTED = dict(re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
SETTINGS: list[type[BaseSettings]] = [
    ProducerSettings,
    ConsumerSettings,
    ProjectorSettings,
    KafkaUISettings,
    StackSettings,
]
# Their defaults are paths of the machine, or are made up where the services start.
NO_DEFAULT_TO_COMPARE = {
    "web_concurrency",
    "relay_heartbeat_file",
    "connector_heartbeat_file",
    "xdg_cache_home",
    "java_home",
}
FIELDS = [(settings, name) for settings in SETTINGS for name in settings.model_fields]


@pytest.mark.parametrize(("settings", "name"), FIELDS, ids=lambda each: getattr(each, "__module__", each))
def test_env_example_has_every_setting_with_its_default(settings: type[BaseSettings], name: str) -> None:
    default = settings.model_fields[name].default
    documented = DOCUMENTED[name.upper()]
    if default is PydanticUndefined or name in NO_DEFAULT_TO_COMPARE:
        return
    if isinstance(default, bool):
        assert documented == str(default).lower()
    elif isinstance(default, int | float):
        assert float(documented) == default
    else:
        assert documented == str(default)


def test_env_example_has_every_variable_that_gunicorn_reads() -> None:
    for path in ROOT.glob("*_service/gunicorn.conf.py"):
        for name in re.findall(r'environ\.get\("([A-Z_]+)"', path.read_text()):
            assert name in DOCUMENTED, path


def test_every_variable_that_compose_and_its_script_read_is_documented() -> None:
    """Not LITE, which is start_project.sh's own, and not COMPOSE_FILE and COMPOSE_PROFILES, which are Compose's."""
    files = [
        ROOT / "docker-compose.yml",
        *ROOT.glob("deploy/*/docker-compose.yml"),
        *ROOT.glob("deploy/*/*.sh"),
    ]
    read = {name for path in files for name in re.findall(r"\$\{([A-Z][A-Z_]+)[:}]", path.read_text())}
    assert read - set(DOCUMENTED) == {"LITE", "COMPOSE_PROFILES"}
