"""Why work could not be done. Expected bad news (a conflict, a failed check) is a value, not an error.

EnvforgeError                  exit 70  a bug, unless it is one of these
├── UsageError                 exit 2   the command line, or a file it names
│   └── SpecError              exit 2   the spec, a profile or a lock says something that it must not
├── CouldNotTell               exit 3   a probe could not run
├── Stale                      exit 4   the lock or the environment no longer fits
├── Unsatisfiable              exit 1   an engine's solver found no set of packages
└── EngineFailed               exit 5   an engine failed; nothing half-made is left
    ├── Unreachable            exit 5   a channel or an index could not be asked
    ├── Busy                   exit 5   another process works on the same prefix
    ├── BadArtefact            exit 5   a file is not what the lock says it is
    └── DiskFailed             exit 5   no space, no permission, a read-only file system
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BadArtefact",
    "Busy",
    "CouldNotTell",
    "DiskFailed",
    "EngineFailed",
    "EnvforgeError",
    "SpecError",
    "Stale",
    "Unreachable",
    "Unsatisfiable",
    "UsageError",
]


class EnvforgeError(Exception):
    """An error as people read it: ``message`` in one line without a full stop, ``where`` it is, ``hints`` that help.

    ``others`` are further errors of the same kind that were found in the same pass (a spec with three typos).
    Survives pickling, so that a worker's error arrives whole.
    """

    code: ClassVar[str] = "bug"
    exit: ClassVar[int] = 70

    def __init__(
        self,
        message: str,
        where: tuple[str, ...] = (),
        hints: tuple[str, ...] = (),
        others: tuple[EnvforgeError, ...] = (),
    ) -> None:
        super().__init__(message, where, hints, others)
        self.message, self.where, self.hints, self.others = message, where, hints, others

    def __str__(self) -> str:
        return self.message


class UsageError(EnvforgeError):
    code, exit = "usage", 2


class SpecError(UsageError):
    code = "spec"


class CouldNotTell(EnvforgeError):
    code, exit = "could-not-tell", 3


class Stale(EnvforgeError):
    code, exit = "stale", 4


class Unsatisfiable(EnvforgeError):
    code, exit = "unsatisfiable", 1


class EngineFailed(EnvforgeError):
    code, exit = "engine", 5


class Unreachable(EngineFailed):
    code = "unreachable"


class Busy(EngineFailed):
    code = "busy"


class BadArtefact(EngineFailed):
    code = "artefact"


class DiskFailed(EngineFailed):
    code = "disk"
