"""Import the scripts of db/. That folder is no package: they find each other because they run there."""

import importlib
from types import ModuleType

import pytest

from tests.project import ROOT


@pytest.fixture
def passwords(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """db/passwords.py, which runs before there is a database."""
    monkeypatch.syspath_prepend(ROOT / "db")
    return importlib.import_module("passwords")


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The one list of the apps' roles, in db/roles.py."""
    monkeypatch.syspath_prepend(ROOT / "db")
    names: tuple[str, ...] = importlib.import_module("roles").ROLES
    return names
