"""Which of the admissible candidates is best: the order of the fields is the policy, greater is better."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from packaging.version import Version

from envforge.facts import Facts
from envforge.model import Build, Candidate, Dotted, Driver, Machine, Spec
from envforge.resolve.constraints import capability_of, has_gpus, is_tegra, on_gpu, policy_of, speaks
from envforge.resolve.constraints.kernels import SASS, degree

SETTLED_DAYS = 365


class Rank(NamedTuple):
    """The policy. The first field in which two ranks differ is the reason why one candidate beat the other."""

    accelerator: bool
    known: int
    kernels: int
    final: bool
    torch: Version
    native: bool
    source: int
    cuda: tuple[int, ...]
    seen: bool
    supported: bool
    settled: bool
    python: tuple[int, ...]
    name: str


WHY = {
    "accelerator": "it fits the accelerator",
    "known": "fewer things about it are unknown",
    "kernels": "it has machine code for the GPU, not only PTX",
    "final": "it is a final release",
    "torch": "its torch is newer",
    "native": "the driver speaks its CUDA natively",
    "source": "its source comes first in `sources`",
    "cuda": "its CUDA is newer",
    "seen": "its source was asked and has it",
    "supported": "its Python still gets fixes",
    "settled": "its Python had been out for a year when this torch came",
    "python": "its Python is newer",
    "name": "it comes first by name",
}


class Ranking:
    """Ranks the candidates of one spec on some machines; remembers what depends on the build alone."""

    def __init__(self, spec: Spec, machines: tuple[Machine, ...], facts: Facts) -> None:
        self._spec, self._facts, self._machines = spec, facts, machines
        self._speaks = [spoken for machine in machines if (spoken := speaks(machine, facts))]
        self._gpus = {
            (capability, is_tegra(machine, facts))
            for machine in machines
            for gpu in machine.gpus or ()
            if (capability := capability_of(gpu, facts))
        }
        self._wants_gpu = _wants_gpu(spec, machines)
        self._builds: dict[int, tuple[Build, bool, int, bool, int, str]] = {}
        self._ranks: dict[tuple[int, int], tuple[Candidate, Rank]] = {}

    def rank(self, candidate: Candidate, unknown: int = 0) -> Rank:
        """Rank one candidate of which ``unknown`` rules could not tell."""
        key = id(candidate), unknown
        if key not in self._ranks:
            self._ranks[key] = candidate, self._rank(candidate, unknown)
        return self._ranks[key][1]

    def _rank(self, candidate: Candidate, unknown: int) -> Rank:
        build = candidate.build
        supported, settled, python = of_python(candidate, self._facts)
        _, accelerator, kernels, native, source, name = self._of_build(build)
        return Rank(
            accelerator=accelerator,
            known=-unknown,
            kernels=kernels,
            final=not build.torch.is_prerelease,
            torch=build.torch,
            native=native,
            source=source,
            cuda=build.cuda.parts if build.cuda else (),
            seen=build.seen,
            supported=supported,
            settled=settled,
            python=python,
            name=name,
        )

    def wish(self, candidate: Candidate) -> Rank:
        """Rank a candidate as if the machine ran it perfectly: what the user would have got, were it allowed."""
        rank = self.rank(candidate)
        return rank._replace(kernels=SASS, native=True)

    def native(self, build: Build) -> bool | None:
        """Say whether every driver speaks the build's CUDA itself; None without a GPU or a known driver."""
        if build.cuda is None or not self._speaks:
            return None
        return all(spoken >= build.cuda for spoken in self._speaks)

    def kernels(self, build: Build) -> int:
        """Give the worst degree over all GPUs (`constraints.kernels.degree`); perfect for a CPU build."""
        if build.cuda is None:
            return SASS
        degrees = (degree(build, capability, tegra, self._facts) for capability, tegra in self._gpus)
        return min((each or 0 for each in degrees), default=SASS)

    def _of_build(self, build: Build) -> tuple[Build, bool, int, bool, int, str]:
        found = self._builds.get(id(build))
        if found is None:
            sources = self._spec.sources
            place = -sources.index(build.source) if build.source in sources else -len(sources)
            name = f"{build.subdir} {build.kind} {build.variant} {build.source} {build.local or ''} {build.tegra}"
            fits = on_gpu(build) is self._wants_gpu
            native = self.native(build) is not False
            found = self._builds[id(build)] = (build, fits, self.kernels(build), native, place, name)
        return found


def of_python(candidate: Candidate, facts: Facts) -> tuple[bool, bool, tuple[int, ...]]:
    """Give the part of a rank that speaks of the Python: supported, settled, and the newest."""
    python = candidate.python
    return _supported(facts, python), _settled(facts, python, candidate.build.torch), _minor(python)


def _wants_gpu(spec: Spec, machines: tuple[Machine, ...]) -> bool:
    """Say which kind of build fits: CUDA where a machine has a GPU, else CPU.

    Of GPUs that could not be looked at, a driver that answers or a CUDA that is stated speaks.
    """
    if policy_of(spec) == "none":
        return False
    return any(has_gpus(machine) or (has_gpus(machine) is None and _speaks_cuda(machine)) for machine in machines)


def _speaks_cuda(machine: Machine) -> bool:
    return isinstance(machine.driver, Driver) or isinstance(machine.cuda_version, Dotted)


@lru_cache(maxsize=256)
def _minor(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split("."))


@lru_cache(maxsize=1024)
def _supported(facts: Facts, python: str) -> bool:
    known = facts.python(python)
    return known is None or known.eol >= facts.dated


@lru_cache(maxsize=8192)
def _settled(facts: Facts, python: str, torch: Version) -> bool:
    known = facts.python(python)
    if known is None:
        return True
    came = date.fromisoformat(facts.released(torch) or facts.dated)
    return (came - date.fromisoformat(known.released)).days >= SETTLED_DAYS
