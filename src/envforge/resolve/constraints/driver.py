"""Rules of the driver: new enough for the CUDA family, of a branch that serves the card, in the flavour it demands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from typing import ClassVar

from envforge.facts import Facts, reaches
from envforge.model import ABSENT, Absent, Candidate, Dotted, Driver, Owner, value
from envforge.resolve.constraints.base import Change, Ruled, cudas, on_gpu


@value
class DriverFloor(Ruled):
    """The driver reaches the CUDA family's minimum (minor-version compatibility), or its libcuda speaks that CUDA.

    ``scale`` is the subdir whose version numbers the driver has: Windows' on WSL. A machine without GPUs may import
    a CUDA wheel without any driver; conda's CUDA builds demand one (``__cuda``). A branch alone, ``580``, stands for
    its newest release.
    """

    rule: ClassVar[str] = "driver-floor"
    owner: ClassVar[Owner] = "driver"

    driver: Driver | Absent | None
    scale: str
    without_gpus: bool
    facts: Facts = field(compare=False, repr=False)

    def allows(self, candidate: Candidate, /) -> bool | None:
        build = candidate.build
        if build.cuda is None:
            return None if on_gpu(build) is None else True
        if isinstance(self.driver, Absent):
            return self.without_gpus and build.kind == "wheel"
        floor = least_driver(self.facts, build.cuda, self.scale)
        if self.driver is None or floor is None:
            return None
        return reaches(self.driver.version, floor) or (self.driver.cuda_version or _NO_CUDA) >= build.cuda

    def why(self, candidate: Candidate, /) -> str:
        return self.why_all((candidate,))

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        there = "none" if self.driver is ABSENT else getattr(self.driver, "version", "an unknown one")
        several = cudas(candidates)
        needs = "need" if " and " in several else "needs"
        return f"CUDA {several} {needs} driver ≥ {self._floor(candidates[0])}, {self.host} has {there}"

    def fix(self, candidate: Candidate, /) -> str:
        return f"install NVIDIA driver {self._floor(candidate)} or newer"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="machine", key="driver", to=str(self._floor(candidate)), hosts=self.hosts)

    def demand(self, candidate: Candidate, /) -> tuple[int, ...]:
        floor = self._floor(candidate)
        return floor.parts if floor else ()

    def praise(self, candidate: Candidate, /) -> str | None:
        cuda = candidate.build.cuda
        if cuda is None or not isinstance(self.driver, Driver):
            return None
        spoken = self.driver.cuda_version or self.facts.cuda_of_driver(self.driver.version)
        native = spoken is not None and spoken >= cuda
        how = (
            f"speaks CUDA {spoken}"
            if native
            else f"runs it by minor-version compatibility (≥ {self._floor(candidate)})"
        )
        return f"CUDA {cuda}: driver {self.driver.version} {how}"

    def provenance(self, candidate: Candidate, /) -> tuple[str, ...]:
        cuda = candidate.build.cuda
        found = self.facts.drivers.floor(cuda, self.scale) if cuda else None
        return (found[1],) if found else ()

    def _floor(self, candidate: Candidate) -> Dotted | None:
        cuda = candidate.build.cuda
        return least_driver(self.facts, cuda, self.scale) if cuda else None

    def __str__(self) -> str:
        if isinstance(self.driver, Driver):
            return f"{self.host} has driver {self.driver.version}"
        return f"{self.host} has {'no NVIDIA driver' if self.driver else 'a driver that could not be read'}"


_NO_CUDA = Dotted("0")


@lru_cache(maxsize=1024)
def least_driver(facts: Facts, cuda: Dotted, scale: str) -> Dotted | None:
    """Give the driver floor of a CUDA, remembered (`Facts.driver_floor`)."""
    return facts.driver_floor(cuda, scale)


@value
class BranchServesCard(Ruled):
    """The driver's branch already knows the card, and still does."""

    rule: ClassVar[str] = "branch-card"
    owner: ClassVar[Owner] = "driver"

    driver: Driver
    card: str
    first: Dotted | None
    last: Dotted | None

    def allows(self, candidate: Candidate, /) -> bool | None:
        if on_gpu(candidate.build) is False:
            return True
        return not self._too_old() and not self._too_new()

    def _too_old(self) -> bool:
        return self.first is not None and self.driver.version < self.first

    def _too_new(self) -> bool:
        return self.last is not None and self.driver.version.major > self.last.major

    def why(self, candidate: Candidate, /) -> str:
        if self._too_old():
            return f"{self.card} needs driver ≥ {self.first}, {self.host} has {self.driver.version}"
        return (
            f"{self.card} is served up to driver branch R{self.last and self.last.major}, "
            f"{self.host} has {self.driver.version}"
        )

    def fix(self, candidate: Candidate, /) -> str:
        if self._too_old():
            return f"install NVIDIA driver {self.first} or newer"
        return f"install an NVIDIA driver of branch R{self.last and self.last.major}"

    def change(self, candidate: Candidate, /) -> Change | None:
        to = self.first if self._too_old() else self.last
        return Change(on="machine", key="driver", to=str(to), hosts=self.hosts)

    def __str__(self) -> str:
        return f"{self.host} has {self.card} under driver {self.driver.version}"


@value
class ModuleFlavour(Ruled):
    """The kernel module has the flavour that the card demands: open for the newest, proprietary for the oldest."""

    rule: ClassVar[str] = "kernel-module"
    owner: ClassVar[Owner] = "driver"

    module: str | None
    demanded: str
    card: str

    def allows(self, candidate: Candidate, /) -> bool | None:
        if on_gpu(candidate.build) is False:
            return True
        return None if self.module is None else self.module == self.demanded

    def why(self, candidate: Candidate, /) -> str:
        return f"{self.card} works only with the {self.demanded} kernel module, {self.host} has the {self.module} one"

    def fix(self, candidate: Candidate, /) -> str:
        return f"install the driver with the {self.demanded} kernel module"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="machine", key="module", to=self.demanded, hosts=self.hosts)

    def __str__(self) -> str:
        if self.module is None:
            return f"{self.card} works only with the {self.demanded} kernel module, {self.host} may have either"
        return f"{self.host} drives {self.card} with the {self.module} kernel module"
