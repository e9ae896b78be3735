"""A section of both halves: conda packages of the real channel, and real wheels, served over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from channel.served import serve
from channel.wheelhouse import Channel
from envforge.engines.rattler import RattlerEngine
from envforge.model import Build, Candidate, Dotted, Floor, Interpreter, Locked, Plan, Section

WHEELS = ("jinja2", "markupsafe")
MACHINE = {"__unix": "0", "__linux": "6.1", "__glibc": "2.36", "__archspec": "1=x86_64_v3"}
Make = Callable[..., Section]


def candidate(python: str, kind: Any = "conda") -> Candidate:
    build = Build(
        torch=Version("2.13.0"),
        variant="cuda129",
        cuda=Dotted("12.9"),
        source="test",
        kind=kind,
        subdir="linux-64",
        pythons=(python,),
    )
    return Candidate(python=python, build=build)


@pytest.fixture(scope="session")
def conda(channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Locked, ...]:
    """Python and sympy, as rattler locks them from the channel."""
    plan = Plan(
        name="both",
        candidate=candidate(channel.python),
        subdir="linux-64",
        python=channel.python,
        floor=Floor(subdir="linux-64"),
        channels=(channel.url,),
        specs=(f"python {channel.python}.*", "sympy", "markupsafe"),
        virtual=tuple(MACHINE.items()),
    )
    cache = tmp_path_factory.mktemp("exports-cache")
    return RattlerEngine(cache, deadline_s=60, environ={}).lock(plan, lambda _: None)


@pytest.fixture(scope="session")
def wheels(wheelhouse: Path) -> tuple[Locked, ...]:
    """Two wheels, by their places on this computer."""
    found = {}
    for path in sorted(wheelhouse.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(path.name)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if canonicalize_name(name) in WHEELS else ""
        found[canonicalize_name(name)] = Locked(
            name=canonicalize_name(name),
            version=str(version),
            kind="wheel",
            url=path.as_uri(),
            sha256=sha256,
            size_bytes=path.stat().st_size,
        )
    return tuple(found[name] for name in WHEELS)


@pytest.fixture(scope="session")
def sites(channel: Channel, wheelhouse: Path) -> Iterator[tuple[str, str]]:
    """The channel and the wheels, served."""
    with serve(channel.path) as packages, serve(wheelhouse) as files:
        yield packages.url, files.url


@pytest.fixture
def make(conda: tuple[Locked, ...], wheels: tuple[Locked, ...], channel: Channel, sites: tuple[str, str]) -> Make:
    """Make a section: ``make()`` of both halves, ``make(wheels=())`` of one; served, so that nothing is local."""
    channel_url, wheel_url = sites

    def section(*, conda: tuple[Locked, ...] = conda, wheels: tuple[Locked, ...] = wheels, **fields: Any) -> Section:
        served = [replace(each, url=each.url.replace(channel.url, channel_url)) for each in conda]
        served += [replace(each, url=f"{wheel_url}/{each.url.rpartition('/')[2]}") for each in wheels]
        given: dict[str, Any] = {
            "target": "here",
            "floor": Floor(subdir="linux-64", driver=Dotted("575.51.03")),
            "candidate": candidate(channel.python),
            "artefacts": tuple(served),
            "channels": (channel_url,),
            "indexes": ("pypi",),
            "variables": (("OMP_NUM_THREADS", "2"),),
        }
        return Section(**{**given, **fields})

    return section


@pytest.fixture
def at_hand() -> Interpreter:
    """The Python that runs the tests, as one at hand."""
    import sys

    return Interpreter(path=sys.executable, version=Dotted("{}.{}.{}".format(*sys.version_info[:3])))
