"""A ``pylock.toml`` (PEP 751) as uv writes it, into what a lock holds."""

from __future__ import annotations

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
    found = list(_wheels(package))
    if len(found) != 1:
        raise EngineFailed(f"`{name}` has {len(found)} wheels for this platform, and the lock needs one")
    url, wheel = str(found[0].get("url", "")), found[0]
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


def _version(name: str, url: str) -> str:
    try:
        return str(parse_wheel_filename(unquote(urlsplit(url).path.rsplit("/", 1)[-1]))[1])
    except InvalidWheelFilename as error:
        raise EngineFailed(f"`{name}` has no version", (without_credentials(url),)) from error
