import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local_stack import bootstrap
from local_stack.errors import StackError
from local_stack.paths import PROJECT_ROOT


def test_bootstrap_imports_the_standard_library_only() -> None:
    """-S leaves out site-packages, as on a machine where nothing is installed yet."""
    code = """if True:
        import sys
        before = set(sys.modules)
        import local_stack.bootstrap
        imported = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(*imported - set(sys.stdlib_module_names))"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout.strip()) == (0, "local_stack"), done.stderr


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only package that there is."""
    index = tmp_path / "index"
    index.mkdir()
    path = index / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return path


def build(folder: Path, requirements: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Build the environment from these requirements; return its folder."""
    (folder / "requirements.txt").write_text(requirements)
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", folder / "requirements.txt")
    bootstrap.ensure_venv(folder / "home")
    return folder / "home" / "venv"


def test_package_is_installed_only_if_it_is_the_pinned_file(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for wrong in ("", f"--hash=sha256:{'0' * 64}"):
        with pytest.raises(StackError, match="could not be installed"):
            build(tmp_path, f"tiny==1.0 {wrong}", monkeypatch)
        assert not (tmp_path / "home" / "venv").exists()
    installed = build(tmp_path, f"tiny==1.0 --hash=sha256:{digest}", monkeypatch)
    assert list(installed.glob("lib/python*/site-packages/tiny.py"))
