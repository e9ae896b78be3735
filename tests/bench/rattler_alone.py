"""Solve and install with rattler, once, and do nothing else: ``python rattler_alone.py URL CACHE PREFIX``.

The floor of a warm `create`: the same packages from the same cache, with no look at the machine, no choice, no lock, no
journal, nothing held against anything, and no way back.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from rattler import (
    BuildString,
    Channel,
    Gateway,
    GenericVirtualPackage,
    PackageCache,
    PackageName,
    Version,
    install,
    solve,
)

SPECS = ("python 3.11.*", "pytorch 2.13.0.*", "numpy")
MACHINE = {"__unix": "0", "__linux": "6.1", "__glibc": "2.36"}


async def make(url: str, cache: Path, prefix: Path) -> None:
    virtual = [GenericVirtualPackage(PackageName(n), Version(v), BuildString("0")) for n, v in MACHINE.items()]
    gateway = Gateway(cache_dir=cache / "repodata")
    platforms = ["linux-64", "noarch"]
    records = await solve([Channel(url)], list(SPECS), gateway=gateway, platforms=platforms, virtual_packages=virtual)
    await install(records, prefix, package_cache=PackageCache(cache / "pkgs"), show_progress=False)


if __name__ == "__main__":
    asyncio.run(make(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
    os._exit(0)  # rattler's threads crash an interpreter's exit now and then
