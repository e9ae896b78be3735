"""The same lock gives the same bytes: twice by rattler, and by each of conda's programs, but for what the docs list."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from channel.wheelhouse import Channel
from envforge.engines.conda_cli import CondaCli, find_tool
from envforge.engines.rattler import RattlerEngine
from envforge.engines.uv import UvEngine
from envforge.model import Candidate, Engine, Floor, Lock, Locked, Plan, Section
from envforge.provision import Caches, Engines, look_deep, provision
from tiny import quiet

MakePlan = Callable[..., Plan]
Build = Callable[[Engine, Path], dict[str, tuple[str, ...]]]
STANDIN = Path(__file__).parent / "standin.py"
LISTED = Path(__file__).parents[2] / "docs/explanation/transactions.md"
NO_CACHES = Caches(packages=(), wheels=Path("/nowhere"))
TOOLS = ("conda", "mamba", "micromamba")


def exceptions() -> list[str]:
    """Give the globs in the table of the docs."""
    listed = LISTED.read_text(encoding="utf-8").partition("## The same lock, the same bytes")[2]
    return re.findall(r"^\| `([^`]+)` \|", listed, re.MULTILINE)


def contents(prefix: Path) -> dict[str, tuple[str, ...]]:
    """Give kind, permissions and content of everything below a prefix, but for what the docs list."""
    excepted = {path for each in exceptions() for path in prefix.glob(each)}
    found: dict[str, tuple[str, ...]] = {}
    for folder, folders, names in os.walk(prefix):
        for path in (Path(folder, name) for name in (*folders, *names)):
            if path.is_symlink():
                found[str(path.relative_to(prefix))] = ("link", str(path.readlink()))
            elif path.is_file() and path not in excepted:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path.relative_to(prefix))] = (oct(path.stat().st_mode & 0o777), digest)
    return {name: told for name, told in found.items() if prefix / name not in excepted}


def section(make_plan: MakePlan, rattler: RattlerEngine, wheelhouse: Path, channel: Channel) -> Section:
    """Lock conda packages with a command, prefixes and a soft link, and a wheel with scripts of its own."""
    plan = make_plan(f"python {channel.python}.*", "sympy", "prefix-probe")
    wheel = next(wheelhouse.glob("numpy-*.whl"))
    numpy = Locked(
        name="numpy",
        version=wheel.name.split("-")[1],
        kind="wheel",
        url=wheel.as_uri(),
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
    )
    return Section(
        target="here",
        floor=Floor(subdir="linux-64"),
        candidate=Candidate(python=channel.python, build=plan.candidate.build),
        artefacts=(*rattler.lock(plan, quiet), numpy),
        channels=(channel.url,),
    )


@pytest.fixture
def build(make_plan: MakePlan, rattler: RattlerEngine, wheelhouse: Path, channel: Channel, tmp_path: Path) -> Build:
    """Make the environment at one place with an engine, and give what is in it; then it is gone again."""
    locked = section(make_plan, rattler, wheelhouse, channel)
    lock = Lock(name="same", spec_digest="sha256:0", facts_digest="sha256:0", sections=(locked,))

    def make(engine: Engine, cache: Path) -> dict[str, tuple[str, ...]]:
        engines = Engines(conda=engine, wheels=UvEngine(cache, environ={}))
        made = provision(lock, locked, tmp_path / "env", engines=engines, packages=cache / "pkgs", emit=quiet)
        found = contents(tmp_path / "env")
        assert (engine.name, ()) == (engine.name, look_deep(made, NO_CACHES, quiet).flaws)
        shutil.rmtree(tmp_path / "env")
        return found

    return make


def conda_cli(tool: Any, folder: Path) -> Engine:
    real = find_tool(tool, os.environ)
    command = [str(real)] if real else [sys.executable, str(STANDIN), tool]
    return CondaCli(tool, command, folder / "cache", environ={**os.environ, "HOME": str(folder)})


def test_every_engine_makes_the_same_and_makes_it_again(
    build: Build, rattler: RattlerEngine, warm_cache: Path, tmp_path: Path
) -> None:
    once = build(rattler, warm_cache)
    again = build(RattlerEngine(tmp_path / "cold", environ={}), tmp_path / "cold")
    assert once == again
    assert {"bin/isympy", "bin/prefix-probe", "share/prefix-probe/link"} < set(once)
    for tool in TOOLS:
        theirs = build(conda_cli(tool, tmp_path), tmp_path / "cold")
        assert (tool, once) == (tool, theirs)


def test_what_may_differ_is_listed() -> None:
    assert ["conda-meta/*", "etc/envforge/*.json"] == exceptions()[:2]
    assert not any(each.startswith(("**", "bin/", "share/")) for each in exceptions())
