"""A synthetic channel as wide as conda-forge's linux-64: ``python wide.py FOLDER [RECORDS]`` writes it.

Repodata alone, flat and compressed, made of a seed: versions and dependencies are invented, sizes and shapes are those of
conda-forge's (nine or ten builds of a package, six dependencies of a build). Nothing of it can be installed.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDS = 200_000
BUILDS = 10
DEPENDS = 6
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def record(name: str, version: str, build: str, depends: list[str]) -> tuple[str, dict[str, Any]]:
    file = f"{name}-{version}-{build}.conda"
    digest = hashlib.sha256(file.encode()).hexdigest()
    return file, {
        "build": build,
        "build_number": 0,
        "constrains": [],
        "depends": depends,
        "license": "BSD-3-Clause",
        "md5": digest[:32],
        "name": name,
        "sha256": digest,
        "size": 100_000,
        "subdir": "linux-64",
        "timestamp": 1_700_000_000_000,
        "version": version,
    }


def small() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what is asked for: Pythons, and a torch for each with what it needs."""
    for python in PYTHONS:
        short = python.replace(".", "")
        yield record("python", f"{python}.7", "h0_0", ["__glibc >=2.17", "tzdata"])
        yield record("python_abi", python, f"8_cp{short}_0", [f"python {python}.*"])
        for minor in range(4, 14):
            depends = [f"python {python}.*", f"python_abi {python}.* *_cp{short}_0", "sympy", "p00001 >=1.0"]
            yield record("pytorch", f"2.{minor}.0", f"cpu_py{short}_h0_0", [*depends, "__glibc >=2.28"])
    yield record("tzdata", "2026a", "h0_0", [])
    yield record("sympy", "1.14.0", "h0_0", ["python >=3.9"])


def wide(records: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the rest. A package needs only later ones, so that every closure is finite, and a few hundred wide."""
    chance = random.Random(1)
    names = records // BUILDS
    for number in range(names):
        later = [chance.randrange(number + 1, names + 1) for _ in range(DEPENDS - 2)]
        depends = [f"p{each:05} >=1.{chance.randrange(3)}" for each in later if each < names and chance.random() < 0.35]
        for build in range(BUILDS):
            hashed = f"h{chance.getrandbits(28):07x}_0"
            yield record(f"p{number:05}", f"1.{build}", hashed, [*depends, "__glibc >=2.17,<3.0.a0", "tzdata"])


def write_wide(folder: Path, records: int = RECORDS) -> int:
    """Write the channel; give the bytes of its flat repodata."""
    from backports.zstd import compress

    found = dict(small())
    found |= dict(wide(records - len(found)))
    size = 0
    for subdir, packages in (("linux-64", found), ("noarch", {})):
        whole = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": packages, "repodata_version": 1}
        text = json.dumps(whole, separators=(",", ":")).encode()
        place = folder / subdir
        place.mkdir(parents=True, exist_ok=True)
        (place / "repodata.json").write_bytes(text)
        (place / "repodata.json.zst").write_bytes(compress(text, 3))
        size += len(text)
    return size


if __name__ == "__main__":
    print(write_wide(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else RECORDS))
