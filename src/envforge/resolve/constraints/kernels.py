"""Rule of the card: the build carries machine code for it, or PTX that the driver can still compile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from typing import ClassVar

from envforge.facts import Facts
from envforge.model import Build, Candidate, ComputeCapability, Dotted, Owner, value
from envforge.resolve.constraints.base import Change, Ruled, named, on_gpu

SASS, PTX, NONE = 2, 1, 0
NO_CUDA = Dotted("0")


def degree(build: Build, capability: ComputeCapability, tegra: bool, facts: Facts) -> int | None:
    """Say how a build reaches a device: by machine code (2), by PTX alone (1), not at all (0), unknown (None).

    What was seen on such a device stands above what its arch lists say.
    """
    if capability in build.failed:
        return NONE
    if capability in build.ran:
        return SASS
    return _reached(build.sass, build.ptx, build.cuda, capability, tegra, facts)


_Codes = tuple[ComputeCapability, ...] | None


@lru_cache(maxsize=8192)
def _reached(
    sass: _Codes, ptx: _Codes, cuda: Dotted | None, capability: ComputeCapability, tegra: bool, facts: Facts
) -> int | None:
    if sass is None and ptx is None:
        return None
    if any(facts.executes(code, capability, tegra, cuda) for code in sass or ()):
        return SASS
    return PTX if any(facts.kernels.compiles(code, capability) for code in ptx or ()) else NONE


@value
class KernelCoverage(Ruled):
    """One card of a machine: machine code of its family, or older PTX under a driver at least as new as the toolkit.

    PTX of a toolkit older than the card's first CUDA (``first_cuda``) does not count: the libraries beside it (cuBLAS,
    cuDNN) have no code for the card. Unknown code is none for a card whose whole family came with a later CUDA
    (``family_cuda``): machine code stays within one major. ``speaks`` is the newest CUDA that the driver speaks, which
    decides what PTX it can compile. ``alone`` when the machine has no other kind of card, so that this one cannot be
    hidden.
    """

    rule: ClassVar[str] = "kernels"
    owner: ClassVar[Owner] = "card"

    card: str
    capability: ComputeCapability | None
    tegra: bool = False
    speaks: Dotted | None
    first_cuda: Dotted | None = None
    family_cuda: Dotted | None = None
    alone: bool = field(default=True, compare=False)
    facts: Facts = field(compare=False, repr=False)

    def degree(self, build: Build) -> int | None:
        """Say how a build reaches this card (see `degree`)."""
        return None if self.capability is None else degree(build, self.capability, self.tegra, self.facts)

    def allows(self, candidate: Candidate, /) -> bool | None:
        build = candidate.build
        if on_gpu(build) is False:
            return True
        reached = self.degree(build)
        if reached is None:
            return False if self._before_family(build) else None
        if reached != PTX:
            return reached == SASS
        if self._predates(build):
            return False
        return None if self.speaks is None or build.cuda is None else self.speaks >= build.cuda

    def why(self, candidate: Candidate, /) -> str:
        build = candidate.build
        if self.capability in build.failed:
            return f"kernels of {named(build)} were seen to fail on {self._sm}, which {self.card} is"
        lacks = f"{named(build)} has no {self._sm} code for {self.card}"
        if self._before_family(build):
            return f"{lacks}: CUDA {build.cuda} predates it, code for its family came with CUDA {self.family_cuda}"
        if self._predates(build):
            return f"{lacks}, and the libraries of CUDA {build.cuda} predate it: it came with CUDA {self.first_cuda}"
        if self.degree(build) == PTX:
            speaks = f"the driver of {self.host} speaks {self.speaks}"
            return f"{lacks}, and compiling its PTX needs a driver for CUDA {build.cuda}; {speaks}"
        return f"{lacks}: it was built for {', '.join(code.sm for code in build.sass or ())}{_and_ptx(build)}"

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        codes = [each.build.sass for each in candidates]
        special = any(self._before_family(each.build) or self._predates(each.build) for each in candidates)
        if len(candidates) == 1 or special or self.capability is None or not all(codes):
            return self.why(candidates[0])
        oldest, newest = min(min(code or ()) for code in codes), max(max(code or ()) for code in codes)
        if oldest > self.capability:
            return f"they have no {self._sm} code for {self.card}: the oldest in them is {oldest.sm}"
        if newest < self.capability:
            return f"they have no {self._sm} code for {self.card}: the newest in them is {newest.sm}"
        return self.why(candidates[0])

    def fix(self, candidate: Candidate, /) -> str:
        if self._waits_for_driver(candidate.build):
            return f"install NVIDIA driver {self._native(candidate.build)} or newer"
        if self.alone:
            return f"run it on another card than {self.card}"
        return f"hide {self.card} from it with `CUDA_VISIBLE_DEVICES`"

    def change(self, candidate: Candidate, /) -> Change | None:
        if self._waits_for_driver(candidate.build):
            return Change(on="machine", key="driver", to=str(self._native(candidate.build)), hosts=self.hosts)
        return None if self.alone else Change(on="machine", key="gpus", to=self.card, hosts=self.hosts)

    def praise(self, candidate: Candidate, /) -> str | None:
        reached = self.degree(candidate.build) if candidate.build.cuda else None
        if not reached:
            return None
        how = "machine code" if reached == SASS else "PTX that the driver compiles"
        return f"{how} for {self.card} ({self._sm})"

    @property
    def _sm(self) -> str:
        return self.capability.sm if self.capability else "known"

    def _before_family(self, build: Build) -> bool:
        known = build.cuda is not None and self.family_cuda is not None
        unknown_code = build.sass is None and build.ptx is None
        return known and unknown_code and (build.cuda or NO_CUDA) < (self.family_cuda or NO_CUDA)

    def _predates(self, build: Build) -> bool:
        known = build.cuda is not None and self.first_cuda is not None
        return known and self.degree(build) == PTX and (build.cuda or NO_CUDA) < (self.first_cuda or NO_CUDA)

    def _waits_for_driver(self, build: Build) -> bool:
        return self.degree(build) == PTX and not self._predates(build) and self._native(build) is not None

    def _native(self, build: Build) -> Dotted | None:
        return self.facts.native_driver(build.cuda, build.subdir) if build.cuda else None

    def __str__(self) -> str:
        return f"{self.host} has {self.card} ({self.capability.sm if self.capability else 'capability unknown'})"


def _and_ptx(build: Build) -> str:
    return f", with PTX from {max(build.ptx).sm}" if build.ptx else ""
