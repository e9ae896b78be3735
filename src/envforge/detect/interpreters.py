"""The Pythons at hand on the host: on PATH, in pyenv, and the running one."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from envforge.errors import EngineFailed
from envforge.model import Dotted, Interpreter
from envforge.run import run

NAME = re.compile(r"^python3(\.\d+)?$")
BY_FOLDER = re.compile(r"/(?:versions|python)/(?:cpython-)?(\d+\.\d+\.\d+)(?:-[^/]*)?/bin/python[\d.]*$")
ASK = "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.implementation.name, sys.version_info.releaselevel)"
DEADLINE_S = 2.0


def find_interpreters(environ: Mapping[str, str]) -> tuple[Interpreter, ...]:
    """Find every CPython once, newest first: the running one, those on PATH, pyenv's and uv's.

    The version is told by the folder's name where that says it, else by running it once. What does not run is
    left out, and so are other implementations and pre-releases.
    """
    found: dict[str, Interpreter] = {}
    for path in (Path(sys.executable), *_on_path(environ), *_managed(environ)):
        real = os.path.realpath(path)
        if real not in found and (version := _version(path, real)):
            found[real] = Interpreter(path=real, version=version)
    return tuple(sorted(found.values(), key=lambda each: each.version.parts, reverse=True))


def _on_path(environ: Mapping[str, str]) -> Iterator[Path]:
    for folder in dict.fromkeys(environ.get("PATH", "").split(os.pathsep)):
        if folder and "shims" not in Path(folder).parts:
            yield from _pythons(Path(folder))


def _pythons(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(each.name for each in folder.iterdir() if NAME.match(each.name))
    except OSError:
        return
    yield from (folder / name for name in names if os.access(folder / name, os.X_OK))


def _managed(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME") or "/nonexistent")
    roots = (
        Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions",
        Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python"),
    )
    for root in roots:
        try:
            folders = sorted(root.iterdir())
        except OSError:
            continue
        yield from (path for folder in folders for path in _pythons(folder / "bin"))


def _version(path: Path, real: str) -> Dotted | None:
    if real == os.path.realpath(sys.executable):
        return Dotted(".".join(str(part) for part in sys.version_info[:3]))
    if match := BY_FOLDER.search(real):
        return Dotted(match[1])
    try:
        done = run([str(path), "-I", "-S", "-c", ASK], deadline_s=DEADLINE_S)
    except EngineFailed:
        return None
    words = done.stdout.split()
    return Dotted(words[0]) if done.ok and words[1:] == ["cpython", "final"] else None
