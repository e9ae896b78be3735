"""Where an environment stands, and the names of what stands beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from envforge.errors import UsageError
from envforge.model import value
from envforge.run import nearest

BREAKING = {
    ":": "it ends a folder in `PATH`",
    "'": "it ends a text in Python's own files",
    '"': "it ends a text in Python's own files",
    "\\": "it means something else in Python's own files",
}
BESIDE_BYTES = len("..envforge-4194304-99")


@value
class Place:
    """An absolute prefix; beside it stand its lock, its stages and its previous generation."""

    prefix: Path

    @classmethod
    def at(cls, prefix: Path | str) -> Place:
        """Take a prefix as the user wrote it: relative to the working directory, `~` allowed, a link followed.

        A package writes its prefix into its own files, so a relative one would break it. Raises UsageError for
        a path that no environment can have.
        """
        path = Path(os.path.abspath(Path(prefix).expanduser()))  # noqa: PTH100 - links of parents stay as written
        path = path.resolve() if path.is_symlink() else path
        if not path.name or any(ord(letter) < 32 for letter in str(path)):
            raise UsageError(f"`{str(path)!r}` cannot be a prefix", (str(path),))
        return cls(prefix=path)

    def refuse_breaking(self) -> None:
        """Raise UsageError for a prefix that packages do not work in, or that leaves no name to what stands beside."""
        hints = ("choose another one with `--prefix` or `--name`",)
        for letter, why in BREAKING.items():
            if letter in str(self.prefix):
                raise UsageError(
                    f"no environment works in a folder with {letter} in its path: {why}", (str(self.prefix),), hints
                )
        size, most = len(os.fsencode(self.prefix.name)), _longest_name(self.prefix.parent) - BESIDE_BYTES
        if size > most:
            raise UsageError(
                f"the name of the prefix has {size} bytes, and may have {most} here", (str(self.prefix),), hints
            )

    @property
    def lock(self) -> Path:
        return self._beside("lock")

    @property
    def holder(self) -> Path:
        return self._beside("holder")

    @property
    def previous(self) -> Path:
        return self._beside("previous")

    def stage(self, number: int) -> Path:
        """Name this process's stage of this number: ``.demo.envforge-4711-1``."""
        return self._beside(f"{os.getpid()}-{number}")

    def stages(self) -> Iterator[Path]:
        """Give everything beside the prefix that bears the name of a stage of it, whoever made it."""
        pattern = re.compile(rf"\.{re.escape(self.prefix.name)}\.envforge-\d+-\d+")
        if self.prefix.parent.is_dir():
            yield from sorted(path for path in self.prefix.parent.iterdir() if pattern.fullmatch(path.name))

    def _beside(self, what: str) -> Path:
        return self.prefix.with_name(f".{self.prefix.name}.envforge-{what}")


def _longest_name(folder: Path) -> int:
    """Give how many bytes a name may have in a folder, or in the nearest one above it that is there."""
    return os.pathconf(nearest(folder), "PC_NAME_MAX")


def places_in(folder: Path) -> tuple[Place, ...]:
    """Give the places that have something of ours beside them in this folder, whether or not a prefix is left."""
    pattern = re.compile(r"\.(.+)\.envforge-(?:lock(?:\.soft)?|holder|previous|\d+-\d+)")
    if not folder.is_dir():
        return ()
    names = {match[1] for path in folder.iterdir() if (match := pattern.fullmatch(path.name))}
    return tuple(Place(prefix=folder / name) for name in sorted(names))
