"""Rules of the system: platform, Jetson or not, C library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from envforge.model import Absent, Candidate, Dotted, Owner, value
from envforge.resolve.constraints.base import Change, Ruled, named


@value
class Platform(Ruled):
    """The build is for this operating system and processor."""

    rule: ClassVar[str] = "platform"
    owner: ClassVar[Owner] = "system"

    subdir: str | None

    def allows(self, candidate: Candidate, /) -> bool | None:
        return None if self.subdir is None else candidate.build.subdir == self.subdir

    def why(self, candidate: Candidate, /) -> str:
        return f"{named(candidate.build)} is built for {candidate.build.subdir}, {self.host} is {self.subdir}"

    def fix(self, candidate: Candidate, /) -> str:
        return f"run it on a {candidate.build.subdir} machine"

    def __str__(self) -> str:
        return f"{self.host} is {self.subdir or 'of an unknown platform'}"


@value
class JetsonBuild(Ruled):
    """A build made for Jetson's integrated GPUs runs on a Jetson, and nowhere else."""

    rule: ClassVar[str] = "tegra"
    owner: ClassVar[Owner] = "system"

    tegra: bool | None

    def allows(self, candidate: Candidate, /) -> bool | None:
        return self.tegra if candidate.build.tegra else True

    def why(self, candidate: Candidate, /) -> str:
        return f"{named(candidate.build)} is built for Jetson, {self.host} is none"

    def fix(self, candidate: Candidate, /) -> str:
        return "run it on a Jetson"

    def __str__(self) -> str:
        is_one = {True: "is a", False: "is no", None: "may be a"}[self.tegra]
        return f"{self.host} {is_one} Jetson"


@value
class GlibcFloor(Ruled):
    """The C library is as new as the build's files need. Musl and other libraries serve no build for Linux."""

    rule: ClassVar[str] = "glibc"
    owner: ClassVar[Owner] = "system"

    glibc: Dotted | Absent | None

    def allows(self, candidate: Candidate, /) -> bool | None:
        build = candidate.build
        if not build.subdir.startswith("linux"):
            return True
        if isinstance(self.glibc, Absent):
            return False
        return None if self.glibc is None or build.glibc is None else self.glibc >= build.glibc

    def why(self, candidate: Candidate, /) -> str:
        there = "none" if isinstance(self.glibc, Absent) else self.glibc
        return f"{named(candidate.build)} needs glibc ≥ {candidate.build.glibc or 'any'}, {self.host} has {there}"

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        if len(candidates) == 1 or isinstance(self.glibc, Absent):
            return self.why(candidates[0])
        return f"they need glibc ≥ {candidates[0].build.glibc}, {self.host} has {self.glibc}"

    def fix(self, candidate: Candidate, /) -> str:
        return f"use a system or container image with glibc {candidate.build.glibc or ''}".rstrip() + " or newer"

    def demand(self, candidate: Candidate, /) -> tuple[int, ...]:
        floor = candidate.build.glibc
        return floor.parts if floor else ()

    def change(self, candidate: Candidate, /) -> Change | None:
        floor = candidate.build.glibc
        return Change(on="machine", key="glibc", to=str(floor), hosts=self.hosts) if floor else None

    def __str__(self) -> str:
        if isinstance(self.glibc, Absent):
            return f"{self.host} has no glibc"
        return f"{self.host} has glibc {self.glibc}" if self.glibc else f"{self.host} has an unknown C library"
