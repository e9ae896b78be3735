"""Files in an environment that no package brought: a person's, most likely, and lost with the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator

from envforge.model import Environment
from envforge.provision.build import VARIABLES
from envforge.provision.installed import installed_files

OURS = ("bin", "conda-meta", "etc/envforge")
MADE_BY_TOOLS = ("CACHEDIR.TAG", "pyvenv.cfg", ".gitignore", ".lock", "lib64", str(VARIABLES))


def strangers(environment: Environment) -> tuple[str, ...]:
    """Name the files that neither packages nor tools put into a prefix, relative to it.

    Not counted is what Python compiles, what stands in ``bin``, and what came into a folder that a package brought.
    """
    root = os.path.normpath(environment.prefix)
    known = {os.path.normpath(each.path) for each in installed_files(environment)}
    return tuple(sorted(path[len(root) + 1 :] for path in _strange(root, known, _folders(known, root))))


def _folders(known: set[str], root: str) -> set[str]:
    """Give every folder below the prefix that a package has files in."""
    found = {root}
    for path in known:
        folder = os.path.dirname(path)  # noqa: PTH120 - thousands of them
        while folder not in found and len(folder) > len(root):
            found.add(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120
    return found - {root}


def _strange(root: str, known: set[str], folders: set[str]) -> Iterator[str]:
    ours = {f"{root}/{each}" for each in OURS}
    tools = {f"{root}/{each}" for each in MADE_BY_TOOLS}
    for folder, below, names in os.walk(root):
        if folder in ours or folder.endswith("__pycache__"):
            below.clear()
        elif folder not in folders:
            yield from (path for name in names if (path := f"{folder}/{name}") not in known and path not in tools)
