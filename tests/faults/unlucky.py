"""Start Python with bad luck: `unlucky.c`, compiled once, in front of the C library."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("unlucky.c")


def compile_unlucky(folder: Path) -> Path:
    """Compile it; skips where there is no compiler, or another system."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or os.uname().sysname != "Linux":
        pytest.skip("bad luck needs a C compiler and Linux")
    library = folder / "unlucky.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def unlucky(library: Path, **told: object) -> dict[str, str]:
    """Give the variables of a process that has this bad luck: ``unlucky(library, below=envs, at=7, errno=5)``."""
    return {"LD_PRELOAD": str(library), **{f"UNLUCKY_{key.upper()}": str(word) for key, word in told.items()}}
