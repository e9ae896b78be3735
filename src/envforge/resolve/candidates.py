"""What there is to choose from: the facts' builds, replaced by what sources really offer where they were asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from packaging.version import Version

from envforge.facts import Facts
from envforge.model import Build, Candidate, Dotted, Offer

_Known = dict[tuple[str, Version, str, str], Build]


def candidates(
    subdirs: Iterable[str], facts: Facts, offers: tuple[Offer, ...] = (), companions: tuple[str, ...] = ()
) -> tuple[Candidate, ...]:
    """Give every Python × build for these platforms, with the companions' versions where facts know them."""
    return tuple(
        Candidate(python=python, build=build, companions=paired(facts, companions, build, python))
        for subdir in subdirs
        for build in builds(subdir, facts, offers)
        for python in build.pythons
    )


def paired(facts: Facts, names: tuple[str, ...], build: Build, python: str) -> tuple[tuple[str, str], ...]:
    """Pair companions with a wheel: name and newest version for this torch and Python, where facts can.

    conda's companions are paired by the engine: their metadata says more than facts do.
    """
    if build.kind == "conda" or not names:
        return ()
    found = ((name, _newest(facts, name, build, python)) for name in names)
    return tuple((name, version) for name, version in found if version is not None)


def _newest(facts: Facts, name: str, build: Build, python: str) -> str | None:
    versions = facts.companion(build.torch, name) or ()
    return next((each for each in reversed(versions) if _serves(facts, name, each, build, python)), None)


def _serves(facts: Facts, name: str, version: str, build: Build, python: str) -> bool:
    pythons = facts.companions.pythons(name, version, build.subdir)
    if pythons is None:
        return True
    later = (Dotted(word[:-1]) for word in pythons if word.endswith("+"))
    return python in pythons or any(first <= Dotted(python) for first in later)


def builds(subdir: str, facts: Facts, offers: tuple[Offer, ...] = ()) -> tuple[Build, ...]:
    """Give the builds for one platform: of asked sources what they offer, of the others what facts say."""
    answered = {offer.source for offer in offers if offer.error is None}
    known = _by_variant(facts.builds(subdir))
    kept = [build for build in facts.builds(subdir) if build.source not in answered]
    offered = (build for offer in offers if offer.error is None for build in offer.builds if build.subdir == subdir)
    return (*kept, *(enriched(build, known) for build in offered))


def _by_variant(builds: Iterable[Build]) -> _Known:
    """Index builds by what names them; a source without a label of its own is also found under no variant."""
    found: _Known = {}
    for build in builds:
        for variant in _names(build):
            found.setdefault((build.kind, build.torch, variant, build.subdir), build)
    return found


def _names(build: Build) -> Iterator[str]:
    yield build.variant
    if build.source == "pypi":
        yield ""


def enriched(build: Build, known: _Known) -> Build:
    """Fill what an offered build does not say (arch lists, glibc, CUDA) from the facts' build of the same name.

    The local version names the variant (``+cpu``, ``+cu126``); a wheel without one is PyPI's own of that release.
    A release that facts do not know stays unknown.
    """
    public = Version(build.torch.public)
    variant = build.local or build.variant
    twin = known.get((build.kind, public, variant, build.subdir))
    if build.kind == "wheel" and twin is None and not build.local:
        twin = known.get((build.kind, public, "", build.subdir))
    if twin is None:
        return replace(build, sass=(), ptx=()) if variant == "cpu" else build
    return replace(
        build,
        variant=twin.variant,
        cuda=build.cuda or twin.cuda,
        glibc=build.glibc or twin.glibc,
        sass=twin.sass if build.sass is None else build.sass,
        ptx=twin.ptx if build.ptx is None else build.ptx,
        size_bytes=build.size_bytes or twin.size_bytes,
        tegra=twin.tegra,
        where=(*build.where, *twin.where),
        confidence=twin.confidence,
    )
