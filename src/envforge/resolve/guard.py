"""Ask again, of what the engine really answered: solvers are known to let a too new CUDA through.

conda#10803 and mamba#4311: ``cuda-version 13.3`` under a driver for CUDA 12.0, because its metadata is only a
constraint that other packages can slip past.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envforge.facts import Facts
from envforge.model import Candidate, Dotted, Driver, Locked, Machine, Reason
from envforge.plan import build_glob
from envforge.resolve.constraints import machine_rules, speaks
from envforge.resolve.constraints.driver import DriverFloor
from envforge.resolve.ways import reason_of

TORCH = {"conda": "pytorch", "wheel": "torch"}
CUDA_CARRIERS = re.compile(r"cuda-version|cuda-cudart|cudatoolkit|cuda-toolkit|nvidia-cuda-runtime(-cu\d+)?")
NEEDS_CUDA = re.compile(r"__cuda\s*>=\s*(\d+(?:\.\d+)*)")


def check_artefacts(
    artefacts: tuple[Locked, ...], candidate: Candidate, machine: Machine, facts: Facts
) -> tuple[Reason, ...]:
    """Hold an engine's answer against the choice and the machine; every reason to refuse it, none when it is right."""
    return tuple(
        dict.fromkeys(
            (
                *_torch(artefacts, candidate),
                *_cuda(artefacts, candidate, machine, facts),
                *_virtual(artefacts, machine, facts),
                *_machine(candidate, machine, facts),
                *_numpy(artefacts, candidate, facts),
            )
        )
    )


def _torch(artefacts: tuple[Locked, ...], candidate: Candidate) -> Iterator[Reason]:
    build = candidate.build
    found = [each for each in artefacts if each.name == TORCH[each.kind]]
    if len(found) != 1:
        there = ", ".join(f"{each.name} {each.version} ({each.kind})" for each in found) or "none"
        yield Reason(rule="torch-build", text=f"one torch was to be locked, the engine gave {there}", owner="source")
    for each in found:
        if not _is_chosen(each, candidate):
            given = f"{each.version} {each.build}".rstrip()
            text = f"torch {build.torch} {build.variant} was chosen, the engine gave {given} ({each.kind})"
            yield Reason(rule="torch-build", text=text, owner="source", where=(each.url,))


def _is_chosen(artefact: Locked, candidate: Candidate) -> bool:
    build = candidate.build
    try:
        version = Version(artefact.version)
    except InvalidVersion:
        return False
    if artefact.kind != build.kind or version.public != build.torch.public:
        return False
    if build.kind == "conda":
        return fnmatchcase(artefact.build, build_glob(build) or "*")
    return build.local is None or version.local == build.local


def _cuda(artefacts: tuple[Locked, ...], candidate: Candidate, machine: Machine, facts: Facts) -> Iterator[Reason]:
    """Check every package that brings a CUDA runtime, or names its version, against driver and torch's own CUDA."""
    floors = [rule for rule in machine_rules(machine, facts) if isinstance(rule, DriverFloor)]
    wanted = candidate.build.cuda
    for artefact, cuda in _carried(artefacts):
        if isinstance(machine.driver, Driver):
            carried = replace(candidate, build=replace(candidate.build, cuda=cuda, kind=artefact.kind))
            for rule in floors:
                if rule.allows(carried) is False:
                    text = f"{artefact.name} {artefact.version}: {rule.why(carried)}"
                    reason = reason_of(rule, carried, text)
                    yield replace(reason, where=(artefact.url, *reason.where))
        if wanted is not None and cuda.major != wanted.major:
            text = (
                f"torch {candidate.build.torch} uses CUDA {wanted}, the engine gave {artefact.name} {artefact.version}"
            )
            yield Reason(rule="cuda-family", text=text, owner="source", where=(artefact.url,))


def _carried(artefacts: tuple[Locked, ...]) -> Iterator[tuple[Locked, Dotted]]:
    for each in artefacts:
        number = re.match(r"\d+\.\d+", each.version)
        if number and CUDA_CARRIERS.fullmatch(canonicalize_name(each.name)):
            yield each, Dotted(number[0])


def _virtual(artefacts: tuple[Locked, ...], machine: Machine, facts: Facts) -> Iterator[Reason]:
    """Check what packages demand of ``__cuda``, be it a dependency or a constraint."""
    spoken = speaks(machine, facts)
    for each in artefacts if spoken is not None else ():
        needs = [Dotted(found[1]) for line in (*each.depends, *each.constrains) if (found := NEEDS_CUDA.match(line))]
        if needs and spoken is not None and max(needs) > spoken:
            text = f"{each.name} {each.version} needs a driver that speaks CUDA {max(needs)}, this one speaks {spoken}"
            yield Reason(rule="virtual-cuda", text=text, owner="driver", where=(each.url,))


def _numpy(artefacts: tuple[Locked, ...], candidate: Candidate, facts: Facts) -> Iterator[Reason]:
    """Check numpy against what a wheel of torch was built for, which the wheel itself does not declare."""
    build = candidate.build
    limit = facts.numpy_limit(build)
    if limit is None:
        return
    for each in artefacts:
        if each.name == "numpy" and not SpecifierSet(limit).contains(each.version, prereleases=True):
            text = f"torch {build.torch} was built for numpy {limit}, the engine gave numpy {each.version}"
            yield Reason(rule="numpy", text=text, owner="source", where=(each.url,))


def _machine(candidate: Candidate, machine: Machine, facts: Facts) -> Iterator[Reason]:
    for rule in machine_rules(machine, facts):
        if rule.allows(candidate) is False:
            yield reason_of(rule, candidate)
