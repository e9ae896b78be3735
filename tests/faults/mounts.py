"""Mount real file systems for a test; who may not, or whose kernel cannot, skips it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(kind: str, where: Path, options: str, source: str = "none") -> Iterator[Path]:
    """Give the folder ``where``, on which a file system of this kind is mounted meanwhile."""
    where.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", kind, "-o", options, source, str(where)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"`{kind}` cannot be mounted here: {done.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)
