"""Rules of the world outside: sources that answered, Pythons that somebody serves, companions that exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from difflib import get_close_matches
from typing import ClassVar

from envforge.facts import Facts
from envforge.model import Build, Candidate, ComputeCapability, Owner, value
from envforge.resolve.constraints.base import Change, Ruled, named, on_gpu

SOURCES = ("conda-forge", "pytorch", "pypi")
NOT_ASKED = "not asked: "


@value
class SourceAnswers(Ruled):
    """A source that was asked and could not be reached gives nothing."""

    rule: ClassVar[str] = "source"
    owner: ClassVar[Owner] = "source"

    source: str
    error: str

    def allows(self, candidate: Candidate, /) -> bool | None:
        return candidate.build.source != self.source

    def why(self, candidate: Candidate, /) -> str:
        return str(self)

    def fix(self, candidate: Candidate, /) -> str:
        return f"make `{self.source}` reachable"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="source", key=self.source)

    def __str__(self) -> str:
        if self.error.startswith(NOT_ASKED):
            return f"`{self.source}` was {self.error}"
        said = f"`{self.source}` could not be asked: {self.error.removeprefix(f'`{self.source}` ')}"
        return f"{said}; did you mean `{near[0]}`?" if (near := self._near) else said

    @property
    def _near(self) -> list[str]:
        """Find a well-known source that may have been meant by a name that is none."""
        if self.source in SOURCES or not self.source.isidentifier():
            return []
        return get_close_matches(self.source, SOURCES, n=1, cutoff=0.8)


@value
class PythonServed(Ruled):
    """Somebody provides the Python: a conda channel, or, for wheels alone, an interpreter at hand.

    ``unasked`` are channels that may have any; ``at_hand`` None: nobody looked.
    """

    rule: ClassVar[str] = "interpreter"
    owner: ClassVar[Owner] = "system"
    reads: ClassVar = "candidate"

    channels: tuple[str, ...]
    unasked: tuple[str, ...]
    at_hand: tuple[str, ...] | None
    wheels_alone: bool

    def allows(self, candidate: Candidate, /) -> bool | None:
        if candidate.python in self.channels:
            return True
        usable = candidate.build.kind == "wheel" and self.wheels_alone
        if usable and candidate.python in (self.at_hand or ()):
            return True
        return None if self.unasked or (usable and self.at_hand is None) else False

    def why(self, candidate: Candidate, /) -> str:
        served = f"the conda channels serve {_some(self.channels)}"
        if candidate.build.kind == "conda" or not self.wheels_alone:
            return f"no conda channel that was reached has Python {candidate.python}: {served}"
        return f"nobody provides Python {candidate.python}: {self.host} has {_some(self.at_hand)}, {served}"

    def fix(self, candidate: Candidate, /) -> str:
        return f"install Python {candidate.python}, or add a conda channel that has it"

    def change(self, candidate: Candidate, /) -> Change | None:
        usable = candidate.build.kind == "wheel" and self.wheels_alone
        return Change(on="machine", key="python", to=candidate.python, hosts=self.hosts) if usable else None

    def __str__(self) -> str:
        return f"{self.host} has Python {_some(self.at_hand)}, the conda channels serve {_some(self.channels)}"

    def doubt(self, candidate: Candidate, /) -> str:
        if self.unasked:
            return f"whether a conda channel has Python {candidate.python}: {', '.join(self.unasked)} was not asked"
        return f"whether {self.host} has Python {candidate.python}: no conda channel that was reached serves it"


def _some(pythons: tuple[str, ...] | None) -> str:
    return "an unknown set of Pythons" if pythons is None else ", ".join(pythons) or "none"


@value
class CompanionExists(Ruled):
    """A companion (``with``) exists for exactly this torch and Python; None when facts know nothing of the pair.

    conda packages are paired by their own metadata when the engine solves: only a pair that never was is refused.
    """

    rule: ClassVar[str] = "companion"
    owner: ClassVar[Owner] = "spec"
    reads: ClassVar = "candidate"

    companion: str
    facts: Facts = field(compare=False, repr=False)

    def allows(self, candidate: Candidate, /) -> bool | None:
        serves = self.facts.companion_serves(self.companion, candidate.build, candidate.python)
        return serves is not False if candidate.build.kind == "conda" else serves

    def why(self, candidate: Candidate, /) -> str:
        return f"no {self.companion} is known for {_label(candidate.build)} on Python {candidate.python}"

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        return self.why(candidates[0]) if len(candidates) == 1 else f"no {self.companion} is known for any of them"

    def praise(self, candidate: Candidate, /) -> str | None:
        if candidate.build.kind == "wheel":
            return None
        return f"{self.companion}: conda's own metadata pairs it when this is locked"

    def doubt(self, candidate: Candidate, /) -> str:
        return f"whether there is a {self.companion} for {_label(candidate.build)} on Python {candidate.python}"

    def fix(self, candidate: Candidate, /) -> str:
        return f"leave {self.companion} out of `with`"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="with", to=self.companion)

    def __str__(self) -> str:
        return f"the spec asks for {self.companion}"


@value
class ExtensionRuns(Ruled):
    """An extension has code for one card: its releases name the least compute capability that they serve."""

    rule: ClassVar[str] = "extension"
    owner: ClassVar[Owner] = "card"
    reads: ClassVar = "candidate"

    companion: str
    card: str
    capability: ComputeCapability | None
    facts: Facts = field(compare=False, repr=False)

    def allows(self, candidate: Candidate, /) -> bool | None:
        least = self._least(candidate)
        if least is None or on_gpu(candidate.build) is False:
            return True
        return None if self.capability is None else self.capability >= least[0]

    def _least(self, candidate: Candidate) -> tuple[ComputeCapability, str] | None:
        return self.facts.companions.extension_floor(self.companion, candidate.build, candidate.python)

    def why(self, candidate: Candidate, /) -> str:
        least = self._least(candidate)
        there = self.capability.sm if self.capability else "capability unknown"
        return f"{self.companion} needs {least[0].sm if least else 'a newer GPU'} or newer, {self.card} is {there}"

    def fix(self, candidate: Candidate, /) -> str:
        return f"leave {self.companion} out of `with`"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="with", to=self.companion)

    def provenance(self, candidate: Candidate, /) -> tuple[str, ...]:
        least = self._least(candidate)
        return (least[1],) if least else ()

    def __str__(self) -> str:
        return f"{self.card} must be new enough for {self.companion}"


def _label(build: Build) -> str:
    return f"{named(build)} of {build.source}"
