"""An environment as one file that is mounted, never written: what a shared file system serves best.

A conda prefix has its own path inside, so that the image serves at that very path and nowhere else.
"""

from __future__ import annotations

import os
from pathlib import Path

from envforge.errors import DiskFailed, EngineFailed, UsageError
from envforge.run import run

PROGRAM = "mksquashfs"
HINT = ("Debian, Ubuntu, Fedora and RHEL have it in `squashfs-tools`",)
DEADLINE_S = 3600.0
OPTIONS = ("-noappend", "-comp", "zstd", "-no-xattrs", "-all-root", "-no-progress", "-quiet")


def write_image(prefix: Path, python: Path, output: Path) -> int:
    """Write a prefix as a squashfs image and give its size in bytes; what stood at ``output`` is replaced at the end.

    All Python in it is compiled first, since nothing can write bytecode into the image later. Raises UsageError where
    the program is not installed, DiskFailed, EngineFailed.
    """
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        _compile(prefix, python)
        done = run((PROGRAM, str(prefix), str(draft), *OPTIONS), deadline_s=DEADLINE_S)
        if not done.ok:
            raise EngineFailed(f"`{PROGRAM}` failed: {_said(done.stderr or done.stdout)}", (str(prefix),))
        draft.replace(output)
    except OSError as error:
        raise DiskFailed(f"`{output}` cannot be written: {error.strerror}", (str(output),)) from error
    finally:
        draft.unlink(missing_ok=True)
    return output.stat().st_size


def refuse_without_program() -> None:
    """Raise UsageError when no image can be written here."""
    from shutil import which

    if which(PROGRAM) is None:
        raise UsageError(f"`{PROGRAM}` is not installed", (), HINT)


def _compile(prefix: Path, python: Path) -> None:
    """Write bytecode beside its source; files that are templates, or of another Python, do not compile."""
    words = ("-I", "-m", "compileall", "-q", "-j", "0", str(prefix / "lib"))
    run((str(python), *words), deadline_s=DEADLINE_S)


def _said(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
