"""What all constraints share: whom they speak for, what they look at, and the change that would satisfy them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import ClassVar, Literal

from packaging.specifiers import SpecifierSet

from envforge.model import Build, Candidate, Owner, value
from envforge.spec.words import in_order

Reads = Literal["build", "python", "candidate"]
MOST_CUDAS = 4


@value
class Change:
    """The smallest change that satisfies one constraint: set ``key`` to ``to`` (None: leave the key out).

    ``key`` is a key of the spec, or of a machine's profile when ``on`` is ``machine``, or the name of a source.
    ``hosts`` are the machines meant, none for all. Of ``with`` and ``wheels``, ``to`` is what to leave out, one a line.
    """

    on: Literal["spec", "machine", "source"]
    key: str
    to: str | None = None
    hosts: tuple[str, ...] = ()


@value
class Ruled:
    """A constraint as a value: equal ones are one, whichever hosts they speak for (then `hosts` is joined).

    ``reads`` is what the answer depends on, so that it is asked once per build or per Python.
    """

    rule: ClassVar[str]
    owner: ClassVar[Owner]
    reads: ClassVar[Reads] = "build"

    hosts: tuple[str, ...] = field(default=(), compare=False)
    where: tuple[str, ...] = field(default=(), compare=False)

    @abstractmethod
    def allows(self, candidate: Candidate, /) -> bool | None: ...

    @abstractmethod
    def why(self, candidate: Candidate, /) -> str: ...

    def why_all(self, candidates: Sequence[Candidate], /) -> str:
        """Say in one sentence why several builds are forbidden, all with the same fix; the first is the newest."""
        return self.why(candidates[0])

    @abstractmethod
    def fix(self, candidate: Candidate, /) -> str: ...

    def change(self, candidate: Candidate, /) -> Change | None:
        """Give the change that `fix` says in words; None when no edit of spec or machine can make it."""
        return None

    def demand(self, candidate: Candidate, /) -> tuple[int, ...]:
        """Say how much is missing to allow a forbidden build, to compare: the least speaks in a conflict."""
        return ()

    def praise(self, candidate: Candidate, /) -> str | None:
        """Say what is good about an allowed candidate in this rule's eyes; None when there is nothing to say."""
        return None

    def doubt(self, candidate: Candidate, /) -> str:
        """Say what is not known, where the answer is unknown."""
        return str(self)

    def provenance(self, candidate: Candidate, /) -> tuple[str, ...]:
        """Say where the facts stand that the answer on this candidate rests on."""
        return candidate.build.where if self.owner in ("card", "system") else ()

    @property
    def host(self) -> str:
        """Name the machines it speaks for: ``this machine``, ``a100`` or ``a100, v100 and 3 others``."""
        if len(self.hosts) <= 3:
            return ", ".join(self.hosts) or "this machine"
        return f"{', '.join(self.hosts[:2])} and {len(self.hosts) - 2} others"


def named(build: Build) -> str:
    """Name a build as people do: ``torch 2.15.0 cu132``."""
    return f"torch {build.torch} {build.variant}".rstrip()


def cudas(candidates: Iterable[Candidate], last: str = "and") -> str:
    """Name the CUDA versions of some builds, oldest first: ``13.0 and 13.2``, of many ``11.0, 11.1 … and 12.9``."""
    found = [str(cuda) for cuda in sorted({each.build.cuda for each in candidates if each.build.cuda})]
    if len(found) > MOST_CUDAS:
        return f"{', '.join(found[:2])} … {last} {found[-1]}"
    return f" {last} ".join(filter(None, (", ".join(found[:-1]), found[-1]))) if found else ""


def as_asked(wanted: SpecifierSet) -> str:
    """Write a specifier as people do: ``3.12`` for ``==3.12.*``, a lower bound before an upper one."""
    parts = list(wanted)
    if len(parts) == 1 and parts[0].operator == "==":
        return parts[0].version.removesuffix(".*")
    return in_order(wanted)


def on_gpu(build: Build) -> bool | None:
    """Say whether a build can use a GPU; None when nothing tells (a wheel that facts do not know)."""
    if build.cuda is not None:
        return True
    return False if build.sass == () or build.variant == "cpu" else None
