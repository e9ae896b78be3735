"""``pixi.lock``, version 6: one environment, one platform.

https://pixi.sh/latest/workspace/lockfile/ ; a channel is kept by its URL, a package by its own.
"""

from __future__ import annotations

from typing import Any

from envforge.exports.subject import Exported, conda_of, index_urls, losses, wheels_of
from envforge.model import Locked, Section
from envforge.wire import write_yaml

ALIAS = "https://conda.anaconda.org"


def pixi_lock(name: str, section: Section) -> Exported:
    """Write what ``pixi install --frozen`` reads beside a ``pixi.toml``; machine and variables belong into that."""
    conda = sorted(conda_of(section), key=lambda each: each.url)
    wheels = wheels_of(section)
    environment: dict[str, Any] = {"channels": [{"url": _channel(each)} for each in section.channels]}
    if wheels and (indexes := index_urls(section)):
        environment["indexes"] = list(indexes)
    listed = [*({"conda": each.url} for each in conda), *({"pypi": each.url} for each in wheels)]
    environment["packages"] = {section.floor.subdir: listed}
    packages = [*map(_conda_package, conda), *map(_wheel_package, wheels)]
    text = write_yaml({"version": 6, "environments": {"default": environment}, "packages": packages})
    return Exported(text=text, lost=tuple(losses(section, conda=True, wheels=True)))


def _channel(channel: str) -> str:
    return (channel if "://" in channel else f"{ALIAS}/{channel.strip('/')}").rstrip("/") + "/"


def _conda_package(artefact: Locked) -> dict[str, Any]:
    """Write a record; name, version and build are read from the URL."""
    plain = {
        "conda": artefact.url,
        "sha256": artefact.sha256,
        "md5": artefact.md5,
        "build_number": artefact.build_number,
        "noarch": artefact.noarch,
        "depends": sorted(artefact.depends),
        "constrains": sorted(artefact.constrains),
        "size": artefact.size_bytes,
        "python_site_packages_path": artefact.site_packages_path,
    }
    return {key: entry for key, entry in plain.items() if entry not in (None, [])}


def _wheel_package(artefact: Locked) -> dict[str, Any]:
    return {
        "pypi": artefact.url,
        "name": artefact.name,
        "version": artefact.version,
        "sha256": artefact.sha256,
    }
