"""Rules of intent: use the GPU, or not, or only where there is one."""

from __future__ import annotations

from typing import ClassVar, Literal

from packaging.specifiers import SpecifierSet

from envforge.model import Candidate, Owner, Spec, value
from envforge.resolve.constraints.base import Change, Ruled, on_gpu

Policy = Literal["required", "preferred", "none", "where-there", "asked-by-cuda"]


def policy_of(spec: Spec) -> Policy:
    """Give the policy that holds: as written; else what ``cuda`` implies; else a GPU is used where there is one."""
    by_cuda = isinstance(spec.cuda, SpecifierSet)
    if by_cuda and (spec.gpu is None or (spec.gpu == "required" and not _written(spec))):
        return "asked-by-cuda"
    return spec.gpu or ("none" if spec.cuda == "none" else "where-there")


def _written(spec: Spec) -> bool:
    """Say whether ``gpu`` stands in the spec: parsing fills in what a CUDA version implies."""
    return not spec.places or any(key == "gpu" for key, _, _ in spec.places)


@value
class GpuPolicy(Ruled):
    """``gpu`` of the spec against the machine; ``has_gpus`` None when the machine could not be looked at.

    A CPU build on a machine with a GPU must be asked for; without a GPU it is the natural one.
    """

    rule: ClassVar[str] = "gpu"
    owner: ClassVar[Owner] = "spec"

    policy: Policy
    has_gpus: bool | None

    def allows(self, candidate: Candidate, /) -> bool | None:
        uses = on_gpu(candidate.build)
        if self.policy == "preferred":
            return True
        if uses is None:
            return None
        if self.policy == "none":
            return not uses
        return self._with_gpu() if uses else self._without_gpu()

    def _with_gpu(self) -> bool | None:
        return True if self.policy == "where-there" else self.has_gpus

    def _without_gpu(self) -> bool | None:
        if self.policy == "required":
            return False
        return None if self.has_gpus is None else not self.has_gpus

    def why(self, candidate: Candidate, /) -> str:
        if on_gpu(candidate.build):
            if self.policy == "none":
                return (
                    f"torch {candidate.build.torch} {candidate.build.variant} is a CUDA build, `gpu: none` is asked for"
                )
            return f"{self._asked}, {self.host} has none"
        if self.policy == "required":
            return "a CPU build does not do what `gpu: required` asks for"
        return f"{self.host} has a GPU, and a CPU build was not asked for"

    @property
    def _asked(self) -> str:
        return "`gpu: required` asks for a GPU" if self.policy == "required" else "a CUDA version asks for a GPU"

    def praise(self, candidate: Candidate, /) -> str | None:
        if on_gpu(candidate.build) is not False:
            return None
        if self.policy == "none":
            return "a CPU build, as asked for"
        return f"a CPU build: {self.host} has no NVIDIA GPU" if self.has_gpus is False else None

    def fix(self, candidate: Candidate, /) -> str:
        return f"set `gpu: {self._to(candidate)}`"

    def _to(self, candidate: Candidate) -> str:
        if not on_gpu(candidate.build):
            return "none" if self.has_gpus else "preferred"
        return "required" if self.has_gpus else "preferred"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="gpu", to=self._to(candidate))

    def __str__(self) -> str:
        there = {True: "has a GPU", False: "has no GPU", None: "may have a GPU"}[self.has_gpus]
        wish = {"where-there": "a GPU is used where there is one", "asked-by-cuda": "a CUDA version asks for a GPU"}
        return f"{wish.get(self.policy, f'the spec says `gpu: {self.policy}`')}, {self.host} {there}"
