"""Rules of ``toolkit: true``: a compiler of torch's own CUDA exists where it would come from, and knows the card."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from envforge.facts import Facts
from envforge.model import Candidate, ComputeCapability, Owner, value
from envforge.plan import OLD_CHANNEL, OLD_CHANNEL_PARTNER, PUBLIC
from envforge.resolve.constraints.base import Change, Ruled


@value
class _Toolkit(Ruled):
    """What both rules share: leaving ``toolkit`` out satisfies them."""

    def fix(self, candidate: Candidate, /) -> str:
        return "leave `toolkit` out"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="toolkit")


@value
class ToolkitExists(_Toolkit):
    """nvcc and headers of exactly torch's CUDA minor are among the conda channels; of a CPU build nothing is asked.

    Unknown where another channel than conda-forge may have them, as the partner of torch's old channel does. The host
    compiler comes with nvcc: its package depends on one and bounds its version.
    """

    rule: ClassVar[str] = "toolkit"
    owner: ClassVar[Owner] = "source"

    channels: tuple[str, ...]
    facts: Facts = field(compare=False, repr=False)

    def allows(self, candidate: Candidate, /) -> bool | None:
        cuda = candidate.build.cuda
        if cuda is None:
            return True
        first = self.facts.first_toolkit(candidate.build.subdir)
        asked = {*self.channels, *([OLD_CHANNEL_PARTNER] if candidate.build.source == OLD_CHANNEL else [])}
        if first and not asked.isdisjoint(PUBLIC) and cuda >= first[0]:
            return True
        return None if asked.difference(PUBLIC) else False

    def why(self, candidate: Candidate, /) -> str:
        first = self.facts.first_toolkit(candidate.build.subdir)
        there = f"has it from CUDA {first[0]} on" if first else f"has none for {candidate.build.subdir}"
        return f"`toolkit` needs nvcc of CUDA {candidate.build.cuda}: conda-forge {there}"

    def praise(self, candidate: Candidate, /) -> str | None:
        if candidate.build.cuda is None:
            return None
        return f"nvcc and headers of CUDA {candidate.build.cuda}, with a host compiler that this nvcc accepts"

    def provenance(self, candidate: Candidate, /) -> tuple[str, ...]:
        first = self.facts.first_toolkit(candidate.build.subdir)
        return (first[1],) if first else ()

    def __str__(self) -> str:
        return f"the spec asks for a toolkit, and {', '.join(self.channels) or 'no channel'} may have it"


@value
class ToolkitTargets(_Toolkit):
    """The compiler of torch's CUDA makes machine code that one card executes."""

    rule: ClassVar[str] = "toolkit-targets"
    owner: ClassVar[Owner] = "card"

    card: str
    capability: ComputeCapability | None
    tegra: bool
    facts: Facts = field(compare=False, repr=False)

    def allows(self, candidate: Candidate, /) -> bool | None:
        cuda = candidate.build.cuda
        if cuda is None:
            return True
        targets = self.facts.drivers.targets(cuda)
        if targets is None or self.capability is None:
            return None
        codes = map(ComputeCapability.parse, targets)
        return any(self.facts.executes(code, self.capability, self.tegra, cuda) for code in codes)

    def why(self, candidate: Candidate, /) -> str:
        return f"nvcc of CUDA {candidate.build.cuda} makes no code for {self.card} ({self._sm})"

    @property
    def _sm(self) -> str:
        return self.capability.sm if self.capability else "capability unknown"

    def __str__(self) -> str:
        return f"what nvcc makes code for, against {self.card} ({self._sm})"
