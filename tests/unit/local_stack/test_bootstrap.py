import subprocess
import sys

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
