"""Rule of the hardware floor that the user states: enough GPUs that are large and new enough."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from packaging.specifiers import SpecifierSet

from envforge.model import Candidate, Gpu, Needs, Owner, value
from envforge.resolve.constraints.base import Change, Ruled

GIB = 1 << 30


@value
class EnoughGpus(Ruled):
    """``needs`` of the spec: at least that many GPUs, each with the memory and the capability asked for."""

    rule: ClassVar[str] = "needs"
    owner: ClassVar[Owner] = "spec"

    gpus: int | None = None
    memory_bytes: int | None = None
    capability: SpecifierSet | None = None
    there: tuple[Gpu, ...] | None = field(default=None)

    @classmethod
    def of(cls, needs: Needs, there: tuple[Gpu, ...] | None, **rest: tuple[str, ...]) -> EnoughGpus:
        """Make the rule for one machine's GPUs."""
        return cls(gpus=needs.gpus, memory_bytes=needs.memory_bytes, capability=needs.capability, there=there, **rest)

    def allows(self, candidate: Candidate, /) -> bool | None:
        if self.there is None:
            return None
        answers = [self._fits(gpu) for gpu in self.there]
        wanted = self.gpus if self.gpus is not None else 1
        if sum(answer is True for answer in answers) >= wanted:
            return True
        return None if sum(answer is not False for answer in answers) >= wanted else False

    def _fits(self, gpu: Gpu) -> bool | None:
        answers = (self._large(gpu), self._new(gpu))
        return False if False in answers else None if None in answers else True

    def _large(self, gpu: Gpu) -> bool | None:
        if self.memory_bytes is None:
            return True
        return None if gpu.memory_bytes is None else gpu.memory_bytes >= self.memory_bytes

    def _new(self, gpu: Gpu) -> bool | None:
        if self.capability is None:
            return True
        return None if gpu.compute_capability is None else self.capability.contains(str(gpu.compute_capability))

    def why(self, candidate: Candidate, /) -> str:
        return f"{self._asked}, {self.host} has {self._told}"

    @property
    def _asked(self) -> str:
        parts = [f"{self.gpus or 1} GPU" + ("s" if (self.gpus or 1) > 1 else "")]
        parts += [f"{self.memory_bytes / GIB:.1f} GiB"] if self.memory_bytes else []
        parts += [f"compute capability {self.capability}"] if self.capability else []
        return f"`needs` asks for {' with '.join(parts[:2])}{''.join(f' and {part}' for part in parts[2:])}"

    @property
    def _told(self) -> str:
        if self.there is None:
            return "GPUs that could not be looked at"
        return "; ".join(_told(gpu) for gpu in self.there) or "none"

    def fix(self, candidate: Candidate, /) -> str:
        return "lower `needs`, or run it on a machine that meets it"

    def change(self, candidate: Candidate, /) -> Change | None:
        return Change(on="spec", key="needs")

    def __str__(self) -> str:
        return f"{self._asked}, {self.host} has {self._told}"


def _told(gpu: Gpu) -> str:
    memory = f"{gpu.memory_bytes / GIB:.1f} GiB" if gpu.memory_bytes is not None else "memory unknown"
    return f"{gpu.name or 'an unknown GPU'} ({gpu.compute_capability or 'capability unknown'}, {memory})"
