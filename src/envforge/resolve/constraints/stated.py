"""The rule of a CUDA version that is known by itself: stated by the user, or spoken by a libcuda without its driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from envforge.model import Candidate, Dotted, Owner, value
from envforge.resolve.constraints.base import Ruled, cudas, on_gpu


@value
class SpokenCuda(Ruled):
    """The CUDA family is not newer than the one that is spoken; minors of one family serve each other."""

    rule: ClassVar[str] = "cuda-spoken"
    owner: ClassVar[Owner] = "driver"

    cuda: Dotted
    stated: bool

    def allows(self, candidate: Candidate, /) -> bool | None:
        build = candidate.build
        if build.cuda is None:
            return None if on_gpu(build) is None else True
        return build.cuda.major <= self.cuda.major

    def why(self, candidate: Candidate, /) -> str:
        return self.why_all((candidate,))

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        several = cudas(candidates)
        are = "are" if " and " in several else "is"
        return f"CUDA {several} {are} of a newer family than the {self.cuda} that {self._who}"

    def fix(self, candidate: Candidate, /) -> str:
        family = candidate.build.cuda.major if candidate.build.cuda else self.cuda
        if self.stated:
            return f"state a newer `CONDA_OVERRIDE_CUDA`, if the driver there speaks CUDA {family}"
        return f"install an NVIDIA driver that speaks CUDA {family}"

    def praise(self, candidate: Candidate, /) -> str | None:
        if candidate.build.cuda is None:
            return None
        return f"CUDA {candidate.build.cuda} fits the {self.cuda} that {self._who}"

    @property
    def _who(self) -> str:
        return f"`CONDA_OVERRIDE_CUDA` states for {self.host}" if self.stated else f"the driver of {self.host} speaks"

    def __str__(self) -> str:
        return f"CUDA {self.cuda} is what {self._who}"
