"""What conda, mamba and micromamba get to see of this computer: their own home, cache and shell, and no configuration.

``CONDARC`` only adds a file to conda's search path (conda 26.7: the user's ``~/.condarc`` and ``$XDG_CONFIG_HOME`` are
read all the same), so every program gets a home of its own. What an administrator wrote beside the program or into
``/etc/conda`` stays in force for conda, which has no switch for it; mamba's ``--no-rc`` leaves it out.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from envforge.errors import EngineFailed
from envforge.model import Plan

Tool = Literal["conda", "mamba", "micromamba"]
FOLDERS = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
DROPPED = ("CONDA_", "MAMBA_", "PYTHON", "_CE_", "BASH_ENV", *FOLDERS)
OVERRIDES = {
    "__archspec": "CONDA_OVERRIDE_ARCHSPEC",
    "__cuda": "CONDA_OVERRIDE_CUDA",
    "__cuda_arch": "CONDA_OVERRIDE_CUDA_ARCH",
    "__glibc": "CONDA_OVERRIDE_GLIBC",
    "__linux": "CONDA_OVERRIDE_LINUX",
    "__osx": "CONDA_OVERRIDE_OSX",
}
LOGINS = (".netrc", ".mamba", ".continuum", ".anaconda")
OURS = {
    "CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY": "false",
    "CONDA_REGISTER_ENVS": "false",
    "CONDA_REPORT_ERRORS": "false",
    "CONDA_NUMBER_CHANNEL_NOTICES": "0",
}
# conda and mamba start a link script as `bash FILE`, where FILE is the script or sources it (conda/utils.py
# `wrap_subprocess_call`, libmamba/src/core/link.cpp `run_script`); everything else goes on to the real bash.
NO_LINK_SCRIPTS = """#!/bin/sh
for file in "$@"; do
    [ -f "$file" ] || continue
    case "$file" in *-link.sh) exit 0 ;; esac
    if grep -q -e '-link\\.sh' "$file"; then exit 0; fi
    break
done
exec {bash} "$@"
"""


def environment(tool: Tool, environ: Mapping[str, str], cache: Path, packages: Path) -> dict[str, str]:
    """Give the environment to start a program in, and make its folders under ``cache``."""
    clean = {key: text for key, text in environ.items() if not key.startswith(DROPPED)}
    packages.mkdir(parents=True, exist_ok=True)
    clean |= OURS | {"CONDA_PKGS_DIRS": str(packages), "HOME": str(_home(clean, cache))}
    clean["PATH"] = f"{_shell(clean.get('PATH', os.defpath), cache)}{os.pathsep}{clean.get('PATH', os.defpath)}"
    if authorities := clean.get("SSL_CERT_FILE"):
        clean.setdefault("REQUESTS_CA_BUNDLE", authorities)
    if tool == "conda":
        return clean | {"CONDARC": os.devnull}
    return clean | {"MAMBA_ROOT_PREFIX": str(cache / "root"), "MAMBA_ADD_PIP_AS_PYTHON_DEPENDENCY": "false"}


def _home(environ: Mapping[str, str], cache: Path) -> Path:
    """Make a home of its own, since both list every prefix in ``~/.conda``; logins are the user's."""
    home = cache / "home"
    home.mkdir(parents=True, exist_ok=True)
    for name in LOGINS:
        theirs, ours = Path(environ.get("HOME", "/")) / name, home / name
        if theirs.exists() and not ours.exists():
            with suppress(FileExistsError):
                ours.symlink_to(theirs)
    return home


def _shell(path: str, cache: Path) -> Path:
    """Make the folder of a ``bash`` that skips link scripts: conda, and mamba before 2.8, have no switch for them.

    Raises EngineFailed where it cannot be run (a disk mounted ``noexec``): the real one would be found.
    """
    folder = cache / "shell"
    folder.mkdir(parents=True, exist_ok=True)
    real = shutil.which("bash", path=path) or "/bin/sh"
    text, bash, beside = NO_LINK_SCRIPTS.format(bash=shlex.quote(real)), folder / "bash", folder / f".{os.getpid()}"
    if not bash.exists() or bash.read_text() != text:
        beside.write_text(text)
        beside.chmod(0o755)
        beside.replace(bash)
    if not os.access(bash, os.X_OK):
        hints = ("set `ENVFORGE_CACHE_DIR` to a folder on another disk, or use `--engine rattler`",)
        raise EngineFailed(
            "nothing may be run from the cache, so link scripts could not be skipped", (str(bash),), hints
        )
    return folder


def overrides(plan: Plan) -> dict[str, str]:
    """Tell the machine through ``CONDA_OVERRIDE_*``; an empty string means that there is no such thing."""
    told = {"CONDA_OVERRIDE_CUDA": "", "CONDA_OVERRIDE_CUDA_ARCH": "", "CONDA_SUBDIR": plan.subdir}
    for name, version in plan.virtual:
        if name in OVERRIDES:
            told[OVERRIDES[name]] = version.split("=")[-1]
    return told
