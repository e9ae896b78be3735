"""Each export, taken in by the real tool that it is for, and refused by it when a hash is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from channel.wheelhouse import cache
from envforge.engines.uv import find_uv
from envforge.exports import export
from envforge.model import Section

Make = Callable[..., Section]
CONDA_LOCK = "conda-lock==4.0.3"
WRONG = "0" * 64


@pytest.fixture(scope="session")
def conda_lock() -> Path:
    """The real conda-lock, in a folder of its own; skips where pip cannot get it."""
    folder = cache() / CONDA_LOCK
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            got = subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", CONDA_LOCK], check=False)
            if got.returncode:
                pytest.skip("pip cannot get conda-lock")
            (folder / "done").touch()
    return folder / "bin" / "conda-lock"


@pytest.fixture
def pip(wheelhouse: Path) -> list[str]:
    """A pip that reads ``pylock.toml``, run out of its wheel."""
    (wheel,) = wheelhouse.glob("pip-*.whl")
    return [sys.executable, f"{wheel}/pip", "--isolated", "--no-cache-dir", "--disable-pip-version-check", "install"]


def clean(cached: Path) -> dict[str, str]:
    kept = {key: text for key, text in os.environ.items() if not key.startswith(("UV_", "PIP_", "VIRTUAL_ENV"))}
    return kept | {"UV_NO_CONFIG": "1", "UV_CACHE_DIR": str(cached)}


def run(argv: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, env=clean(folder / "cache"), cwd=folder, check=False)


def commands(form: str, folder: Path, pip: list[str]) -> Iterator[tuple[str, list[str | Path]]]:
    """Give the ways to install a file of wheels into ``folder/NAME``."""
    name = "pylock.toml" if form == "pylock" else "requirements.txt"
    hashes = ["--require-hashes"] if form == "requirements" else []
    yield "pip", [*pip, "--no-deps", "--no-index", *hashes, "--target", folder / "pip", "-r", name]
    for verb in (["install", "--no-deps", "-r"], ["sync"]):
        target: list[str | Path] = ["--target", folder / verb[0], "--python", sys.executable]
        yield verb[0], [find_uv(), "pip", *verb, name, *hashes, *target]


@pytest.mark.parametrize("form", ["pylock", "requirements"])
def test_wheels_are_installed_by_pip_and_uv(form: str, make: Make, pip: list[str], tmp_path: Path) -> None:
    name = "pylock.toml" if form == "pylock" else "requirements.txt"
    (tmp_path / name).write_text(export("both", make(), form).text)
    for where, argv in commands(form, tmp_path, pip):
        done = run(argv, tmp_path)
        assert 0 == done.returncode, done.stderr
        found = sorted(path.name.partition("-")[0].lower() for path in (tmp_path / where).glob("*.dist-info"))
        assert (where, ["jinja2", "markupsafe"]) == (where, found)


@pytest.mark.parametrize("form", ["pylock", "requirements"])
def test_wheels_whose_hash_is_wrong_are_refused_by_pip_and_uv(
    form: str, make: Make, pip: list[str], tmp_path: Path
) -> None:
    text = export("both", make(), form).text
    name = "pylock.toml" if form == "pylock" else "requirements.txt"
    (tmp_path / name).write_text(re.sub(r"\b[0-9a-f]{64}\b", WRONG, text))
    for where, argv in commands(form, tmp_path, pip):
        done = run(argv, tmp_path)
        assert (where, True) == (where, done.returncode != 0)
        assert "hash" in (done.stdout + done.stderr).lower()


def test_a_conda_lock_of_both_halves_is_read_and_rendered_by_conda_lock(
    make: Make, conda_lock: Path, tmp_path: Path
) -> None:
    section = make()
    (tmp_path / "conda-lock.yml").write_text(export("both", section, "conda-lock").text)
    for kind in ("explicit", "env"):
        done = run([conda_lock, "render", "--kind", kind, "conda-lock.yml"], tmp_path)
        assert 0 == done.returncode, done.stderr
    explicit = (tmp_path / "conda-linux-64.lock").read_text().splitlines()
    conda = [each for each in section.artefacts if each.kind == "conda"]
    wheels = [each for each in section.artefacts if each.kind == "wheel"]
    assert {f"{each.url}#{each.md5}" for each in conda} == {each for each in explicit if each.startswith("http")}
    assert [f"# pip {e.name} @ {e.url}#sha256={e.sha256}" for e in wheels] == [e for e in explicit if "# pip" in e]
    pinned = (tmp_path / "conda-linux-64.lock.yml").read_text()
    assert all(f"- {each.name}={each.version}={each.build}\n" in pinned for each in conda)
    assert all(f"{each.name} == {each.version} --hash=sha256:{each.sha256}" in pinned for each in wheels)
