"""The rule of extension wheels that a spec names: each was compiled against one torch, CUDA, Python and C++ ABI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from functools import lru_cache
from typing import ClassVar

from packaging.markers import Marker
from packaging.requirements import Requirement

from envforge.facts import Facts
from envforge.model import Build, Candidate, Dotted, Owner, Spec, value
from envforge.resolve.constraints.base import Change, Ruled, named, on_gpu
from envforge.spec.built_for import BuiltFor, made_for

_SYSTEMS = {"linux": ("linux", "Linux"), "win": ("win32", "Windows"), "osx": ("darwin", "Darwin")}
_MACHINES = {
    "linux-64": "x86_64",
    "linux-aarch64": "aarch64",
    "osx-64": "x86_64",
    "osx-arm64": "arm64",
    "win-64": "AMD64",
}


@value
class CompiledFor(Ruled):
    """A wheel loads only in the torch that it was compiled against; ``wheels`` are requirements with one such demand.

    What a wheel's name leaves open is not asked. A CUDA major alone stands for all of its minors. On macOS and Windows
    there is one C++ ABI.
    """

    rule: ClassVar[str] = "compiled-for"
    owner: ClassVar[Owner] = "spec"
    reads: ClassVar = "candidate"

    built: BuiltFor
    marker: str
    wheels: tuple[str, ...]
    facts: Facts = field(compare=False, repr=False)

    def allows(self, candidate: Candidate, /) -> bool | None:
        if not _meant(self.marker, candidate.build.subdir, candidate.python):
            return True
        answers = [fits for _, fits in self._answers(candidate)]
        return False if False in answers else None if None in answers else True

    def _answers(self, candidate: Candidate) -> Iterator[tuple[str, bool | None]]:
        """Give each thing that the wheel was compiled for, and whether the candidate is that."""
        build, built = candidate.build, self.built
        yield f"torch {built.torch}", f"{build.torch.major}.{build.torch.minor}" == built.torch
        yield "the CPU" if built.cuda == "none" else f"CUDA {built.cuda}", _cuda_fits(build, built.cuda)
        if built.python is not None:
            later = built.later and Dotted(built.python) <= Dotted(candidate.python)
            yield f"Python {built.python}", later or built.python == candidate.python
        if built.subdir is not None:
            yield built.subdir, built.subdir == build.subdir
        if built.cxx11_abi is not None and build.subdir.startswith("linux"):
            abi = self.facts.cxx11_abi(build)
            yield f"the {'new' if built.cxx11_abi else 'old'} C++ ABI", None if abi is None else abi == built.cxx11_abi

    def why(self, candidate: Candidate, /) -> str:
        needs = [what for what, fits in self._answers(candidate) if fits is False]
        return f"{self._named} for {' and '.join(needs)}, not for {named(candidate.build)} on Python {candidate.python}"

    @property
    def _named(self) -> str:
        return f"{self._names} {'was' if len(self.wheels) == 1 else 'were'} compiled"

    @property
    def _names(self) -> str:
        names = [Requirement(wheel).name for wheel in self.wheels]
        return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))

    def fix(self, candidate: Candidate, /) -> str:
        wanted = f"{named(candidate.build)} on Python {candidate.python}"
        return f"leave {self._names} out of `wheels` (or name what was compiled for {wanted})"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="wheels", to="\n".join(self.wheels))

    def praise(self, candidate: Candidate, /) -> str | None:
        if not _meant(self.marker, candidate.build.subdir, candidate.python):
            return None
        return f"{self._named} for just this: {', '.join(what for what, _ in self._answers(candidate))}"

    def __str__(self) -> str:
        abi = {True: " with the new C++ ABI", False: " with the old C++ ABI", None: ""}[self.built.cxx11_abi]
        cuda = "the CPU" if self.built.cuda == "none" else f"CUDA {self.built.cuda}"
        return f"{self._named} for torch {self.built.torch} and {cuda}{abi}"


def compiled_for(spec: Spec, facts: Facts) -> Iterator[CompiledFor]:
    """Give one rule for the wheels of a spec that were compiled for the same."""
    groups: dict[tuple[BuiltFor, str], list[str]] = {}
    for wheel in spec.wheels:
        if built := made_for(wheel):
            groups.setdefault((built, str(Requirement(wheel).marker or "")), []).append(wheel)
    for (built, marker), wheels in groups.items():
        where = (spec.where("wheels"),)
        yield CompiledFor(built=built, marker=marker, wheels=tuple(wheels), facts=facts, where=where)


def _cuda_fits(build: Build, cuda: str) -> bool | None:
    if on_gpu(build) is None:
        return None
    if cuda == "none" or build.cuda is None:
        return cuda == "none" and build.cuda is None
    return str(build.cuda.major) == cuda if "." not in cuda else build.cuda == Dotted(cuda)


@lru_cache(maxsize=256)
def _meant(marker: str, subdir: str, python: str) -> bool:
    """Tell whether a marker holds on a platform."""
    if not marker:
        return True
    system, name = _SYSTEMS[subdir.partition("-")[0]]
    environment = {"sys_platform": system, "platform_system": name, "platform_machine": _MACHINES.get(subdir, "")}
    return Marker(marker).evaluate({**environment, "python_version": python, "python_full_version": f"{python}.0"})
