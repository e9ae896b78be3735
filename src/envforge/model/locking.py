"""From a plan to an environment: what is asked for, what is locked, what stands on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, Protocol

from envforge.model.base import ComputeCapability, Dotted, value
from envforge.model.choosing import Candidate, Reason
from envforge.model.machine import Interpreter
from envforge.model.verifying import SmokeReport


@value
class Floor:
    """The least hardware and system that a lock serves; checked before anything is downloaded."""

    subdir: str
    driver: Dotted | None = None
    glibc: Dotted | None = None
    capabilities: tuple[ComputeCapability, ...] = ()


@value
class Plan:
    """What the engines are asked for: one environment for one kind of machine.

    ``specs`` are match specs to install, ``limits`` match specs that only restrict; ``requirements`` and
    ``wheel_limits`` the same of wheels (PEP 508); ``virtual`` the machine as explicit virtual packages (CEP 30,
    CEP 46), name and version; ``python`` a minor; ``interpreter`` the Python at hand when no conda package provides
    one.
    """

    name: str
    candidate: Candidate
    subdir: str
    python: str
    floor: Floor
    channels: tuple[str, ...] = ()
    specs: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    virtual: tuple[tuple[str, str], ...] = ()
    requirements: tuple[str, ...] = ()
    wheel_limits: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    interpreter: Interpreter | None = None
    variables: tuple[tuple[str, str], ...] = ()
    exclude_newer: str | None = None


@value
class Locked:
    """One artefact, exactly. ``build`` is the conda build string, empty for wheels; ``size_bytes`` of the archive.

    ``attestations_sha256`` is that of the sigstore bundles beside it (CEP 50). ``link_scripts``: the package's link
    scripts may run, because the spec allows them.
    ``md5`` is for files of tools that ask for one (conda-lock); nothing is checked by it.
    """

    name: str
    version: str
    kind: Literal["conda", "wheel"]
    url: str
    sha256: str
    build: str = ""
    build_number: int = 0
    subdir: str = ""
    size_bytes: int | None = None
    noarch: str | None = None
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    site_packages_path: str | None = None
    link_scripts: bool = False
    attestations_sha256: str | None = None
    md5: str | None = None

    @property
    def needs(self) -> set[str]:
        """Give the names in a conda package's ``depends``."""
        return {each.split()[0] for each in self.depends if each.strip()}


def in_order(artefacts: Iterable[Locked]) -> tuple[Locked, ...]:
    """Give conda packages each after those that it depends on, else by name; all by name where they go round."""
    from graphlib import CycleError, TopologicalSorter

    named = {each.name: each for each in sorted(artefacts, key=lambda each: each.name)}
    graph = {name: sorted(each.needs & set(named)) for name, each in named.items()}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError:
        order = tuple(named)
    return tuple(named[name] for name in order)


@value
class Section:
    """The part of a lock that serves one target: floor, choice, and every artefact."""

    target: str
    floor: Floor
    candidate: Candidate
    artefacts: tuple[Locked, ...]
    channels: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    interpreter: Interpreter | None = None
    variables: tuple[tuple[str, str], ...] = ()
    reasons: tuple[Reason, ...] = ()


@value
class Lock:
    """A lock file: made for this spec (digest of what matters) from these facts, one section per target.

    ``written_digest`` is that of the spec's file, where the command line named other places than the file does.
    """

    name: str
    spec_digest: str
    facts_digest: str
    sections: tuple[Section, ...]
    written_digest: str | None = None


@value
class Environment:
    """A prefix that carries our marker, so it is whole. Dates are RFC 3339.

    ``lock_digest`` is that of the section's artefacts; ``verified`` the last report, ``verified_on`` the digest of
    the hardware and the checks that it was made with; ``checks`` what its spec asked for, a tier or names with commas.
    """

    name: str
    prefix: Path
    python: Path
    section: Section
    lock_digest: str
    spec_origin: str
    engine: str
    created: str
    verified: SmokeReport | None = None
    verified_on: str = ""
    checks: str = ""


@value
class Progress:
    """A step of work that takes long; bytes where they are known. ``phase``: solve, wait, download, unpack,
    link, wheels, verify."""

    phase: str
    subject: str = ""
    done_bytes: int | None = None
    total_bytes: int | None = None


Emit = Callable[[Progress], None]


class Engine(Protocol):
    """Solves and installs conda packages; any engine installs what any other solved."""

    @property
    def name(self) -> str: ...
    def lock(self, plan: Plan, emit: Emit, /) -> tuple[Locked, ...]:
        """Solve for the plan's virtual packages; touch no prefix.

        Raises Unsatisfiable, Unreachable, EngineFailed.
        """
        ...

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        """Fill ``stage`` with packages that will live at ``final``.

        Raises BadArtefact, Unreachable, DiskFailed, EngineFailed.
        """
        ...


class WheelEngine(Protocol):
    """Locks and installs wheels; never replaces what conda manages."""

    @property
    def name(self) -> str: ...
    def lock(self, plan: Plan, conda: tuple[Locked, ...], emit: Emit, /) -> tuple[Locked, ...]:
        """Pick wheels for the plan's requirements with the conda packages as constraints; touch no prefix.

        Raises Unsatisfiable, Unreachable, EngineFailed.
        """
        ...

    def make_base(self, interpreter: Interpreter, stage: Path, final: Path, /) -> None:
        """Make ``stage`` an empty virtual environment on a Python at hand, to live at ``final``."""
        ...

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        """Add exactly these wheels to ``stage``; scripts say ``final``. Raises BadArtefact, Unreachable, DiskFailed."""
        ...
