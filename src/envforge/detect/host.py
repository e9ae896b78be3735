"""The host as files: every look goes through here, so that any directory can stand for a computer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from envforge.model import value

MOST_BYTES = 1 << 16
FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"


@value
class Host:
    """A computer at ``root``, seen with these environment variables; ``deadline_s`` is each dangerous probe's."""

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float = 2.5

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def text(self, path: str, most_bytes: int = MOST_BYTES) -> str | None:
        """Give a file's text up to a bound; None when it is not there. Raises OSError when it cannot be read."""
        try:
            with self.path(path).open("rb") as file:
                return file.read(most_bytes).decode("utf-8", "replace").strip("\n\0 ")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def words(self, path: str) -> str | None:
        """Give a file's text, or None when it is not there or cannot be read: for what only adds."""
        try:
            return self.text(path)
        except OSError:
            return None

    def link(self, path: str) -> str | None:
        """Give the last part of what a link points to, None when there is none."""
        try:
            return self.path(path).readlink().name
        except OSError:
            return None

    def has(self, path: str) -> bool:
        return os.path.lexists(self.path(path))

    def program(self, name: str) -> str | None:
        """Give the path of a program that this host's PATH, or the usual folders, hold."""
        return shutil.which(name, path=f"{self.environ.get('PATH', '')}:{FOLDERS}".lstrip(":"))

    def glob(self, pattern: str) -> Iterator[Path]:
        """Give the paths that match, sorted; none where a directory cannot be read."""
        try:
            yield from sorted(self.root.glob(pattern.lstrip("/")))
        except OSError:
            return

    def shown(self, path: Path) -> str:
        """Give a path below the root as the host itself calls it."""
        return "/" + path.relative_to(self.root).as_posix()


def require(host: Host, path: str) -> None:
    """Raise OSError when a whole file system (``/proc``, ``/sys``) is masked: nobody is to take that for an answer."""
    if next(host.path(path).iterdir(), None) is None:
        raise OSError(f"`{path}` is empty: it is masked or not mounted")
