"""What people ask facts for: which torch builds run on a GPU, under a driver, with a Python; newest first."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.specifiers import SpecifierSet

from envforge.facts.drivers import reaches
from envforge.facts.loading import Facts
from envforge.facts.nouns import Architecture
from envforge.model import Build, ComputeCapability, Dotted, value


@value
class Entry:
    """One build and what it asks of a machine: ``floor`` the least driver, ``native`` the one of its toolkit.

    ``runs`` are the capabilities that its machine code reaches, ``compiles`` those that only its PTX reaches: of GPUs
    that its CUDA knows, for the libraries beside it have no code for later ones.
    """

    build: Build
    released: str | None = None
    floor: Dotted | None = None
    native: Dotted | None = None
    runs: tuple[ComputeCapability, ...] = ()
    compiles: tuple[ComputeCapability, ...] = ()


@value
class Asked:
    """A filter; what is None does not filter. An unknown property of a build never passes a filter for it.

    A build that reaches the capability by PTX alone needs the driver of its own toolkit, which can compile it.
    """

    capability: ComputeCapability | None = None
    driver: Dotted | None = None
    torch: SpecifierSet | None = None
    python: str | None = None
    source: str | None = None

    def fits(self, entry: Entry) -> bool:
        """Tell whether an entry is asked for."""
        build = entry.build
        return (
            (self.torch is None or build.torch in self.torch)
            and (self.python is None or self.python in build.pythons)
            and (self.source is None or self.source == build.source)
            and (self.capability is None or self.capability in (*entry.runs, *entry.compiles))
            and self._driven(entry)
        )

    def _driven(self, entry: Entry) -> bool:
        if self.driver is None or entry.build.cuda is None:
            return True
        floor = entry.native if self.capability in entry.compiles else entry.floor
        return floor is not None and reaches(self.driver, floor)


def matrix(facts: Facts, subdir: str, asked: Asked | None = None) -> tuple[Entry, ...]:
    """List the builds for a platform that a filter lets through, newest torch first, then newest CUDA.

    None where the driver's branch does not serve GPUs of that capability (`unserved`).
    """
    if asked and unserved(facts, asked):
        return ()
    entries = (_entry(facts, build) for build in facts.builds(subdir))
    found = [entry for entry in entries if (asked or Asked()).fits(entry)]
    return tuple(sorted(found, key=_rank, reverse=True))


def unserved(facts: Facts, asked: Asked) -> Architecture | None:
    """Give the architecture that is asked for where the driver's branch does not serve it; else None."""
    known = facts.architecture(asked.capability) if asked.capability and asked.driver else None
    return known if known and asked.driver and not known.served_by(asked.driver) else None


def newest_by_capability(facts: Facts, subdir: str) -> tuple[tuple[Architecture, Entry | None], ...]:
    """Give, for each compute capability, the newest torch that has machine code for it; None for none."""
    entries = matrix(facts, subdir)
    return tuple((each, _newest(entries, each.capability)) for each in facts.drivers.architectures)


def _newest(entries: tuple[Entry, ...], capability: ComputeCapability) -> Entry | None:
    return next((entry for entry in entries if capability in entry.runs), None)


def _rank(entry: Entry) -> tuple[object, ...]:
    build = entry.build
    return build.torch, build.cuda or Dotted("0"), build.source


def _entry(facts: Facts, build: Build) -> Entry:
    if build.cuda is None:
        return Entry(build=build, released=facts.released(build.torch))
    runs = tuple(_reached(facts, build))
    old = [each for each in facts.drivers.architectures if not each.first_cuda or each.first_cuda <= build.cuda]
    known = (each.capability for each in old)
    compiles = (each for each in known if any(facts.kernels.compiles(code, each) for code in build.ptx or ()))
    return Entry(
        build=build,
        released=facts.released(build.torch),
        floor=facts.driver_floor(build.cuda, build.subdir),
        native=facts.native_driver(build.cuda, build.subdir),
        runs=runs,
        compiles=tuple(each for each in compiles if each not in (*runs, *build.failed)),
    )


def _reached(facts: Facts, build: Build) -> Iterator[ComputeCapability]:
    for each in facts.drivers.architectures:
        if each.capability in build.failed:
            continue
        if each.capability in build.ran or any(
            facts.executes(code, each.capability, cuda=build.cuda) for code in build.sass or ()
        ):
            yield each.capability
