"""``pixi.lock``, versions 7 and 6: one environment, one platform.

https://pixi.sh/latest/workspace/lockfile/ ; a channel is kept by its URL, a package by its own. pixi writes version 7
from 0.68 on and reads 6 too, with a warning; an older pixi reads no 7. What differs for us, as rattler 0.28 reads and
writes them: 7 names its platforms, and each wheel's index where that is not the environment's first.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from envforge.exports.subject import TORCH_INDEX, Exported, conda_of, index_urls, losses, wheels_of
from envforge.model import Locked, Section
from envforge.wire import write_yaml

ALIAS = "https://conda.anaconda.org"


def pixi_lock(name: str, section: Section) -> Exported:
    """Write what ``pixi install --frozen`` reads beside a ``pixi.toml``; machine and variables belong into that."""
    return _written(section, 7)


def pixi_lock_v6(name: str, section: Section) -> Exported:
    """Write the same for a pixi before 0.68."""
    return _written(section, 6)


def _written(section: Section, version: int) -> Exported:
    conda = sorted(conda_of(section), key=lambda each: each.url)
    wheels, indexes = wheels_of(section), _indexes(section)
    environment: dict[str, Any] = {"channels": [{"url": _channel(each)} for each in section.channels]}
    if wheels and indexes:
        environment["indexes"] = list(indexes)
    listed = [*({"conda": each.url} for each in conda), *({"pypi": each.url} for each in wheels)]
    environment["packages"] = {section.floor.subdir: listed}
    plain: dict[str, Any] = {"version": version}
    if version > 6:
        plain["platforms"] = [{"name": section.floor.subdir}]
    plain["environments"] = {"default": environment}
    named = indexes[1:] if version > 6 else ()
    plain["packages"] = [*map(_conda_package, conda), *(_wheel_package(each, named) for each in wheels)]
    return Exported(text=write_yaml(plain), lost=tuple(losses(section, conda=True, wheels=True)))


def _indexes(section: Section) -> tuple[str, ...]:
    """Give the indexes by URL, the public one first: the first is that of every wheel of which nothing else is said."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    public = (PYPI_SIMPLE_ENDPOINT.rstrip("/"),) if "pypi" in section.indexes else ()
    return (*public, *index_urls(section))


def _channel(channel: str) -> str:
    return (channel if "://" in channel else f"{ALIAS}/{channel.strip('/')}").rstrip("/") + "/"


def _conda_package(artefact: Locked) -> dict[str, Any]:
    """Write a record; name, version and build are read from the URL, of a file's neither channel nor platform."""
    here = artefact.url.startswith("file:")
    plain = {
        "conda": artefact.url,
        "build_number": artefact.build_number,
        "subdir": artefact.subdir if here else None,
        "noarch": artefact.noarch,
        "sha256": artefact.sha256,
        "md5": artefact.md5,
        "depends": sorted(artefact.depends),
        "constrains": sorted(artefact.constrains),
        "channel": artefact.url.rsplit("/", 2)[0] if here else None,
        "size": artefact.size_bytes,
        "python_site_packages_path": artefact.site_packages_path,
    }
    return {key: entry for key, entry in plain.items() if entry not in (None, [])}


def _wheel_package(artefact: Locked, indexes: tuple[str, ...]) -> dict[str, Any]:
    index = next((each for each in indexes if _serves(each, artefact.url)), None)
    plain = {
        "pypi": artefact.url,
        "name": artefact.name,
        "version": artefact.version,
        "sha256": artefact.sha256,
    }
    return plain | ({"index": index} if index else {})


def _serves(index: str, url: str) -> bool:
    """Tell whether a wheel comes from an index: from its host, or, of PyTorch's pages, from any of PyTorch's."""
    page, wheel = urlsplit(index), urlsplit(url)
    return wheel.netloc == page.netloc or (index.startswith(TORCH_INDEX) and wheel.netloc.endswith(".pytorch.org"))
