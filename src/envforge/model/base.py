"""What the nouns are made of: frozen values, dotted numbers, compute capabilities, and a word for "not there"."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import total_ordering
from typing import Any, Final, TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(cls: type[_T]) -> type[_T]:
    """Make a class a value: frozen, slotted, keyword-only.

    All share one `repr`: to have one written for each takes a tenth of what a command spends on imports.
    """
    made = dataclass(frozen=True, slots=True, kw_only=True, repr=False, match_args=False)(cls)
    if "__repr__" not in cls.__dict__:
        made.__repr__ = _shown  # type: ignore[method-assign]
    return made


def _shown(item: Any) -> str:
    told = (f"{each.name}={getattr(item, each.name)!r}" for each in fields(item) if each.repr)
    return f"{type(item).__qualname__}({', '.join(told)})"


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Dotted:
    """A dotted number of NVIDIA's or glibc's: ``535.104.05``, ``12.8``. Compares by value, keeps its spelling.

    Not `packaging.Version`: that one would print ``535.104.5``. Trailing zeros do not count: ``13 == 13.0``.
    """

    text: str
    parts: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", self.text):
            raise ValueError(f"`{self.text}` is not a dotted number")
        parts = [int(part) for part in self.text.split(".")]
        while len(parts) > 1 and parts[-1] == 0:
            parts.pop()
        object.__setattr__(self, "parts", tuple(parts))

    @property
    def major(self) -> int:
        return self.parts[0]

    @property
    def minor(self) -> int:
        return self.parts[1] if len(self.parts) > 1 else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dotted) and self.parts == other.parts

    def __lt__(self, other: Dotted) -> bool:
        return self.parts < other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class ComputeCapability:
    """What a GPU can execute, ``9.0`` for Hopper. Never a float: 12.1 is newer than 12.0, and 10.10 than 10.9."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> ComputeCapability:
        """Read ``9.0``, ``sm_90``, ``sm_90a`` or ``compute_120``; raise ValueError for anything else."""
        if match := re.fullmatch(r"([0-9]+)\.([0-9]+)[af]?|(?:sm|compute)_([0-9]+)([0-9])[af]?", text):
            return cls(int(match[1] or match[3]), int(match[2] or match[4]))
        raise ValueError(f"`{text}` is not a compute capability")

    @property
    def sm(self) -> str:
        return f"sm_{self.major}{self.minor}"

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Absent(Enum):
    """Looked for, and not there: the third answer beside a value and ``None`` (could not tell)."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
