"""Rules that the user wrote: which torch, which CUDA, from where, and not newer than a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from typing import ClassVar

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envforge.facts import Facts
from envforge.model import Candidate, Owner, value
from envforge.resolve.constraints.base import Change, Ruled, as_asked, cudas, named, on_gpu

MICROS = range(64)


@value
class TorchPin(Ruled):
    """``torch`` of the spec. Pre-releases are let through: `Rank` puts them last, as PEP 440 asks."""

    rule: ClassVar[str] = "torch"
    owner: ClassVar[Owner] = "spec"

    wanted: SpecifierSet

    def allows(self, candidate: Candidate, /) -> bool | None:
        build = candidate.build
        version = build.torch
        if "+" in str(self.wanted) and (local := build.local or build.variant):
            version = Version(f"{build.torch.public}+{local}")
        return self.wanted.contains(version, prereleases=True)

    def why(self, candidate: Candidate, /) -> str:
        return f"torch {candidate.build.torch} is not `{as_asked(self.wanted)}`"

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        return f"the spec wants torch `{as_asked(self.wanted)}`"

    def fix(self, candidate: Candidate, /) -> str:
        return f'ask for `torch: "{candidate.build.torch}"`'

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="torch", to=f"=={candidate.build.torch}")

    def __str__(self) -> str:
        return f"the spec asks for torch `{as_asked(self.wanted)}`"


@value
class CudaPin(Ruled):
    """``cuda`` of the spec: a version, or ``none``."""

    rule: ClassVar[str] = "cuda"
    owner: ClassVar[Owner] = "spec"

    wanted: SpecifierSet | None

    def allows(self, candidate: Candidate, /) -> bool | None:
        build = candidate.build
        if build.cuda is not None and self.wanted is not None:
            return self.wanted.contains(str(build.cuda), prereleases=True)
        uses = on_gpu(build)
        return None if uses is None else uses == (self.wanted is not None)

    def why(self, candidate: Candidate, /) -> str:
        there = f"uses CUDA {candidate.build.cuda}" if candidate.build.cuda else "is a CPU build"
        return f"{named(candidate.build)} {there}, the spec wants {self._wish}"

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        if len(candidates) == 1:
            return self.why(candidates[0])
        no_cpu = not any(each.build.cuda is None for each in candidates)
        others = (cudas(candidates, "or" if no_cpu else "and"), "" if no_cpu else "the CPU")
        return f"the spec wants {self._wish}, not {' or '.join(filter(None, others))}"

    @property
    def _wish(self) -> str:
        return "no CUDA" if self.wanted is None else f"CUDA `{as_asked(self.wanted)}`"

    def fix(self, candidate: Candidate, /) -> str:
        return f'ask for `cuda: "{candidate.build.cuda}"`' if candidate.build.cuda else "leave `cuda` out"

    def change(self, candidate: Candidate, /) -> Change | None:
        cuda = candidate.build.cuda
        return Change(on="spec", key="cuda", to=f"=={cuda}.*" if cuda else None)

    def __str__(self) -> str:
        return f"the spec asks for {self._wish}"


@value
class PythonPin(Ruled):
    """``python`` of the spec: some micro release of this minor fits."""

    rule: ClassVar[str] = "python"
    owner: ClassVar[Owner] = "spec"
    reads: ClassVar = "python"

    wanted: SpecifierSet

    def allows(self, candidate: Candidate, /) -> bool | None:
        return fits_minor(self.wanted, candidate.python)

    def why(self, candidate: Candidate, /) -> str:
        return f"Python {candidate.python} is not `{as_asked(self.wanted)}`"

    def fix(self, candidate: Candidate, /) -> str:
        return f'ask for `python: "{candidate.python}"`'

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="python", to=f"=={candidate.python}.*")

    def __str__(self) -> str:
        return f"the spec asks for Python `{as_asked(self.wanted)}`"


@lru_cache(maxsize=4096)
def fits_minor(wanted: SpecifierSet, minor: str) -> bool:
    """Say whether any micro release of a minor, ``3.12``, fits a specifier."""
    return any(wanted.contains(f"{minor}.{micro}", prereleases=True) for micro in MICROS)


@value
class SourcePin(Ruled):
    """``sources`` of the spec: where torch may come from."""

    rule: ClassVar[str] = "sources"
    owner: ClassVar[Owner] = "spec"

    sources: tuple[str, ...]

    def allows(self, candidate: Candidate, /) -> bool | None:
        return candidate.build.source in self.sources

    def why(self, candidate: Candidate, /) -> str:
        return f"`{candidate.build.source}` is not among the spec's sources ({', '.join(self.sources)})"

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        return str(self)

    def fix(self, candidate: Candidate, /) -> str:
        return f"add `{candidate.build.source}` to `sources`"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="sources", to=candidate.build.source)

    def __str__(self) -> str:
        return f"the spec takes torch from {', '.join(self.sources)} only"


@value
class NotNewer(Ruled):
    """``exclude-newer`` of the spec, held against the day of torch's release where facts know it."""

    rule: ClassVar[str] = "exclude-newer"
    owner: ClassVar[Owner] = "spec"

    day: str
    facts: Facts = field(compare=False, repr=False)

    def allows(self, candidate: Candidate, /) -> bool | None:
        released = self.facts.released(candidate.build.torch)
        return None if released is None else released <= self.day[:10]

    def why(self, candidate: Candidate, /) -> str:
        torch = candidate.build.torch
        return f"torch {torch} came out on {self.facts.released(torch)}, after `exclude-newer: {self.day}`"

    def fix(self, candidate: Candidate, /) -> str:
        return f"set `exclude-newer` to {self.facts.released(candidate.build.torch)} or later"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="exclude-newer", to=self.facts.released(candidate.build.torch))

    def __str__(self) -> str:
        return f"the spec takes nothing newer than {self.day}"
