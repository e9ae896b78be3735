"""Builds, candidates, constraints, and what comes of them: a choice or a conflict."""

from __future__ import annotations

from typing import Literal, Protocol

from packaging.version import Version

from envforge.model.base import ComputeCapability, Dotted, value


@value
class Build:
    """One build of torch that some source has. Arch lists: ``None`` unknown, ``()`` none (a CPU build).

    ``variant`` is the field's own tag (``cu126``, ``cuda129``, ``cpu``); ``pythons`` are minors (``3.11``);
    ``glibc`` the lowest that its files need; ``ran`` and ``failed`` are capabilities on which its kernels were seen to
    run, and not to run, whatever its arch lists say; ``tegra`` made for Jetson's integrated GPUs (conda-forge's
    arm-variant); ``where`` the facts or pages that say so.
    """

    torch: Version
    variant: str
    cuda: Dotted | None
    source: str
    kind: Literal["conda", "wheel"]
    subdir: str
    pythons: tuple[str, ...]
    glibc: Dotted | None = None
    sass: tuple[ComputeCapability, ...] | None = None
    ptx: tuple[ComputeCapability, ...] | None = None
    ran: tuple[ComputeCapability, ...] = ()
    failed: tuple[ComputeCapability, ...] = ()
    local: str | None = None
    size_bytes: int | None = None
    seen: bool = False
    tegra: bool = False
    confidence: Literal["read", "inferred", "measured"] = "read"
    where: tuple[str, ...] = ()


@value
class Offer:
    """What one source really serves, asked just now; ``error`` says why it could not be asked."""

    source: str
    builds: tuple[Build, ...] = ()
    pythons: tuple[str, ...] = ()
    error: str | None = None
    took_s: float = 0.0


@value
class Candidate:
    """A Python minor (``3.12``) and a torch build, with the companions' versions that go with them."""

    python: str
    build: Build
    companions: tuple[tuple[str, str], ...] = ()


Owner = Literal["spec", "driver", "card", "system", "source"]


class Constraint(Protocol):
    """One rule about one machine or the spec: decides, says why, and says what would change it."""

    @property
    def rule(self) -> str: ...
    @property
    def owner(self) -> Owner: ...
    @property
    def where(self) -> tuple[str, ...]: ...
    def allows(self, candidate: Candidate, /) -> bool | None:
        """True, False, or None when a value that the rule needs is unknown."""

    def why(self, candidate: Candidate, /) -> str:
        """Say why this candidate is forbidden, naming both sides: what it needs and what is there."""

    def fix(self, candidate: Candidate, /) -> str:
        """Say the smallest change after which this candidate would be allowed."""

    def __str__(self) -> str: ...


@value
class Reason:
    """One sentence of an explanation, with the rule that speaks and where its facts come from."""

    rule: str
    text: str
    owner: Owner = "system"
    where: tuple[str, ...] = ()


@value
class Rejected:
    """A candidate that ranks above the chosen one (or would have been chosen) and the rules that forbid it."""

    candidate: Candidate
    reasons: tuple[Reason, ...]


@value
class Warned:
    """Something true that the user would want to know before going on; ``code`` is stable."""

    code: str
    text: str
    where: tuple[str, ...] = ()


@value
class WayOut:
    """Give these things up and get that candidate; ``hint`` is the action."""

    gives_up: tuple[Reason, ...]
    gets: Candidate
    hint: str


@value
class RejectedRange:
    """Neighbouring torch releases that one rule forbids in the same words; ``torch`` is ``2.12.0-2.15.0``."""

    torch: str
    variants: tuple[str, ...]
    sources: tuple[str, ...]
    reason: Reason


@value
class Choice:
    """The best candidate, why, what else would do, what was rejected, and what would unlock more."""

    best: Candidate
    native: bool | None
    reasons: tuple[Reason, ...] = ()
    others: tuple[Candidate, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[Warned, ...] = ()
    ranges: tuple[RejectedRange, ...] = ()
    unlocks: tuple[WayOut, ...] = ()


@value
class Conflict:
    """No candidate serves: every minimal set of contradictory rules, and every smallest way out."""

    cores: tuple[tuple[Reason, ...], ...]
    ways_out: tuple[WayOut, ...]
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[Warned, ...] = ()
    ranges: tuple[RejectedRange, ...] = ()


@value
class Cover:
    """The machines that one environment serves together, or that none serves, and why."""

    machines: tuple[str, ...]
    outcome: Choice | Conflict
