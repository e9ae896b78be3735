"""Plans made by hand, and a cache of packages that is warm for the whole session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from channel.wheelhouse import Channel
from envforge.engines.rattler import RattlerEngine
from envforge.model import Build, Candidate, Dotted, Floor, Locked, Plan, Progress

MACHINE = {"__unix": "0", "__linux": "6.1", "__glibc": "2.36", "__archspec": "1=x86_64_v3"}
MakePlan = Callable[..., Plan]


@pytest.fixture
def make_plan(channel: Channel) -> MakePlan:
    """Make a plan for the test channel: ``make_plan("sympy", cuda="12.4", requirements=(...))``."""

    def make(*specs: str, cuda: str | None = None, **fields: Any) -> Plan:
        python = fields.pop("python", channel.python)
        virtual = MACHINE | ({"__cuda": cuda} if cuda else {})
        build = Build(
            torch=Version("2.13.0"),
            variant="cpu",
            cuda=None,
            source="test",
            kind="conda",
            subdir="linux-64",
            pythons=(python,),
        )
        defaults: dict[str, Any] = {
            "name": "test",
            "candidate": Candidate(python=python, build=build),
            "subdir": "linux-64",
            "python": python,
            "floor": Floor(subdir="linux-64", glibc=Dotted("2.28")),
            "channels": (channel.url,),
            "specs": specs,
            "virtual": tuple(virtual.items()),
        }
        return Plan(**{**defaults, **fields})

    return make


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that tests share, for what does not depend on its content."""
    return tmp_path_factory.mktemp("warm cache")


@pytest.fixture
def rattler(warm_cache: Path) -> RattlerEngine:
    return RattlerEngine(warm_cache, deadline_s=60, environ={})


@pytest.fixture
def seen() -> list[Progress]:
    return []


def by_name(artefacts: tuple[Locked, ...]) -> dict[str, Locked]:
    return {each.name: each for each in artefacts}
