"""Finding the Pythons at hand."""

import os
import sys
from pathlib import Path

from envforge.detect import find_interpreters
from envforge.model import Interpreter


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def found(environ: dict[str, str]) -> list[tuple[str, str]]:
    """Give what was found beside the running Python."""
    own = os.path.realpath(sys.executable)
    return [(each.path, str(each.version)) for each in find_interpreters(environ) if each.path != own]


def test_the_running_python_is_always_there():
    own = find_interpreters({})[0]
    assert (own.path, str(own.version)) == (
        os.path.realpath(sys.executable),
        ".".join(str(part) for part in sys.version_info[:3]),
    )


def test_a_python_on_path_is_asked_once_and_its_other_names_are_dropped(tmp_path: Path):
    real = program(tmp_path / "bin/python3.12", "echo 3.12.4 cpython final")
    (tmp_path / "bin/python3").symlink_to(real)
    assert found({"PATH": f"{tmp_path}/bin:{tmp_path}/bin:{tmp_path}/missing"}) == [(str(real), "3.12.4")]


def test_pyenvs_versions_are_told_by_their_folder(tmp_path: Path):
    real = program(tmp_path / "versions/3.13.1/bin/python3.13", "exit 1")
    assert found({"PYENV_ROOT": str(tmp_path)}) == [(str(real), "3.13.1")]


def test_what_does_not_run_or_is_no_final_cpython_is_left_out(tmp_path: Path):
    program(tmp_path / "a/python3.11", "exit 127")
    program(tmp_path / "b/python3.10", "echo 3.10.14 pypy final")
    program(tmp_path / "c/python3.15", "echo 3.15.0 cpython beta")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/python3.9").write_text("not a program")
    assert found({"PATH": ":".join(str(tmp_path / each) for each in "abcd")}) == []


def test_the_newest_comes_first(tmp_path: Path):
    for version in ("3.9.18", "3.12.1"):
        program(tmp_path / f"versions/{version}/bin/python3", "exit 1")
    versions = [each.version.parts for each in find_interpreters({"PYENV_ROOT": str(tmp_path)})]
    assert versions == sorted(versions, reverse=True)


def test_nothing_of_torch_is_imported():
    assert all(isinstance(each, Interpreter) for each in find_interpreters({}))
    assert "torch" not in sys.modules
