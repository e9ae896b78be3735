"""The plug-in of `conda doctor`, held to the hook's contract by a stand-in for conda's own modules."""

import json
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_IN = {
    "conda/__init__.py": "",
    "conda/plugins/__init__.py": """
        def hookimpl(function):
            function.conda_impl = {}
            return function
    """,
    "conda/plugins/types.py": """
        from dataclasses import dataclass
        from typing import Callable

        @dataclass
        class CondaHealthCheck:
            name: str
            action: Callable[[str, bool], None]
    """,
}
SHOW = """
    import importlib, sys
    before = set(sys.modules)
    plugin = importlib.import_module(sys.argv[1])
    loaded = sorted({name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
    assert hasattr(plugin.conda_health_checks, "conda_impl")
    (check,) = plugin.conda_health_checks()
    print(loaded, check.name)
    answer = check.action(sys.argv[2], False)
    assert answer is None
"""


@pytest.fixture(scope="module")
def conda(tmp_path_factory):
    """A folder in which ``conda.plugins`` can be imported."""
    folder = tmp_path_factory.mktemp("conda")
    for name, text in STAND_IN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    return folder


def asked(conda, prefix):
    module = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["conda"]["envforge"]
    code = f"import sys; sys.path.insert(0, {str(conda)!r})\n{textwrap.dedent(SHOW)}"
    done = subprocess.run(
        [sys.executable, "-c", code, module, str(prefix)], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.splitlines()


def test_loading_it_imports_conda_and_envforge_only(conda, tmp_path):
    assert "['conda', 'envforge'] GPU environment (envforge)" == asked(conda, tmp_path)[0]


def test_a_prefix_without_python_is_nothing_to_examine(conda, tmp_path):
    assert ["[ok] GPU environment (envforge): no Python in it, nothing to examine"] == asked(conda, tmp_path)[1:]


def test_an_environment_without_torch_is_told_as_such(conda, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    assert "torch is not installed" in asked(conda, tmp_path / "env")[1]


def test_a_python_that_does_not_start_never_fails_conda(conda, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    assert asked(conda, tmp_path)[1].startswith("[")


def test_a_fault_of_the_environment_is_shown_with_what_to_do(conda, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    torch = next((tmp_path / "env/lib").glob("python3*")) / "site-packages/torch"
    torch.mkdir()
    (torch / "version.py").write_text("__version__ = '2.2.0+cu121'\ncuda = '12.1'\n")
    (torch / "__init__.py").write_text("raise ImportError('undefined symbol: iJIT_NotifyEvent')\n")
    lines = asked(conda, tmp_path / "env")
    assert [line for line in lines if "mkl-2024-1-ijit" in line]
    assert [line for line in lines if line.startswith("    -> ")]


def test_the_entry_point_is_a_module_of_this_package():
    assert json.dumps("envforge.cli.conda_doctor") in (ROOT / "pyproject.toml").read_text()
