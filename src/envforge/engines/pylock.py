"""A ``pylock.toml`` (PEP 751) as uv writes it, into what a lock holds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from envforge.engines.places import without_credentials
from envforge.errors import EngineFailed
from envforge.model import Locked

Table = Mapping[str, Any]


def read_pylock(text: str) -> tuple[Locked, ...]:
    """Read every package; each must be one wheel with URL and sha256. Raises EngineFailed for anything else."""
    packages = tomllib.loads(text).get("packages", ())
    return tuple(sorted((_locked(each) for each in packages), key=lambda each: each.name))


def _locked(package: Table) -> Locked:
    name = str(package["name"])
    wheel = max(_wheels(package), key=_fitness, default=None)
    if wheel is None:
        raise EngineFailed(f"`{name}` has no wheel for this platform, and the lock needs one")
    url = str(wheel.get("url", ""))
    sha256 = wheel.get("hashes", {}).get("sha256")
    if not url or not sha256:
        hint = "only indexes that tell the sha256 of their files, and local files, can be locked"
        raise EngineFailed(f"`{name}` has no sha256", (without_credentials(url),), (hint,))
    return Locked(
        name=canonicalize_name(name),
        version=str(package.get("version") or _version(name, url)),
        kind="wheel",
        url=without_credentials(url.split("#", maxsplit=1)[0]),
        sha256=str(sha256),
        size_bytes=wheel.get("size"),
    )


def _wheels(package: Table) -> Iterator[Table]:
    """Give a package's wheels; a direct URL to one stands under ``archive``."""
    yield from package.get("wheels", ())
    archive = package.get("archive", {})
    if str(archive.get("url", "")).split("#")[0].endswith(".whl"):
        yield archive


def _fitness(wheel: Table) -> tuple[object, ...]:
    """Rank wheels that all fit the platform as installers do: made for it, for the interpreter, for the newest libc.

    uv writes every wheel that fits: protobuf 7.36.2 has one for Linux and one for any platform.
    """
    name = _file_name(str(wheel.get("url", "")))
    try:
        _, _, build, tags = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return (False,)
    best = max((tag.platform != "any", _ABIS.get(tag.abi, 2), *_libc(tag.platform)) for tag in tags)
    return (True, *best, build, name)


_ABIS = {"none": 0, "abi3": 1}
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


def _libc(platform: str) -> tuple[int, int]:
    """Give the libc or macOS that a platform tag asks for: ``manylinux_2_28_x86_64`` is 2.28."""
    if numbers := re.search(r"_(\d+)_(\d+)_", platform):
        return int(numbers[1]), int(numbers[2])
    return _LEGACY.get(platform.partition("_")[0], (0, 0))


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])


def _version(name: str, url: str) -> str:
    try:
        return str(parse_wheel_filename(_file_name(url))[1])
    except InvalidWheelFilename as error:
        raise EngineFailed(f"`{name}` has no version", (without_credentials(url),)) from error
