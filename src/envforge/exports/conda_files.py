"""Files of conda: explicit lists, ``environment.yml``, and conda-lock's file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envforge.errors import UsageError
from envforge.exports.subject import Exported, conda_of, index_urls, losses, some, wheels_of
from envforge.model import Locked, Section
from envforge.wire import digest, write_yaml


def explicit(name: str, section: Section) -> Exported:
    """Write an explicit list. conda, mamba, micromamba and rattler read ``#sha256:``; only URLs fit into it."""
    conda = conda_of(section)
    if not conda:
        hint = "`--format requirements` or `--format pylock` carries wheels"
        raise UsageError("there is no conda package to list", (section.target,), (hint,))
    head = [f"# {name}, for {section.floor.subdir}", f"# platform: {section.floor.subdir}", "@EXPLICIT"]
    lines = [*head, *map(explicit_line, conda)]
    return Exported(text="".join(f"{line}\n" for line in lines), lost=tuple(losses(section, conda=True)))


def explicit_line(artefact: Locked) -> str:
    return f"{artefact.url}#sha256:{artefact.sha256}"


def environment_yml(name: str, section: Section) -> Exported:
    """Write an ``environment.yml`` that pins name, version and build; it is solved again, and checks no hash."""
    conda, wheels = conda_of(section), wheels_of(section)
    pinned: list[Any] = [f"{each.name}={each.version}={each.build}" for each in conda]
    if section.interpreter and not conda:
        pinned.append(f"python={section.candidate.python}")
    if wheels:
        has_pip = any(each.name == "pip" for each in conda)
        pinned += [*([] if has_pip else ["pip"]), {"pip": list(_pip_lines(section, wheels))}]
    plain: dict[str, Any] = {"name": name, "channels": list(_channels(section)), "dependencies": pinned}
    if section.variables:
        plain["variables"] = dict(section.variables)
    return Exported(text=write_yaml(plain), lost=(*_of_environment_yml(section), *_left_of(section)))


def _of_environment_yml(section: Section) -> Iterator[str]:
    yield "no hash is in the file: what is installed is what the channels and indexes then serve"
    if section.interpreter:
        yield f"conda brings its own Python {section.candidate.python}, in the place of the one at hand"


def _left_of(section: Section) -> Iterator[str]:
    yield from losses(section, conda=True, wheels=True, variables=True, python=True)


def _pip_lines(section: Section, wheels: tuple[Locked, ...]) -> Iterator[str]:
    yield from (f"--extra-index-url {url}" for url in index_urls(section))
    for each in wheels:
        yield f"{each.name} @ {each.url}" if each.url.startswith("file:") else f"{each.name}=={each.version}"


def _channels(section: Section) -> tuple[str, ...]:
    """Give the channels, and ``nodefaults``, without which conda adds its own."""
    return (*(section.channels or ("conda-forge",)), "nodefaults")


def conda_lock(name: str, section: Section) -> Exported:
    """Write conda-lock's unified file, version 1, for one platform."""
    conda, wheels, subdir = conda_of(section), wheels_of(section), section.floor.subdir
    packages = [*(_conda_package(each, subdir) for each in conda), *(_pip_package(each, subdir) for each in wheels)]
    metadata = {
        "content_hash": {subdir: digest(section).removeprefix("sha256:")},
        "channels": [{"url": each, "used_env_vars": []} for each in section.channels],
        "platforms": [subdir],
        "sources": [f"{name}.yaml"],
    }
    text = write_yaml({"version": 1, "metadata": metadata, "package": packages})
    return Exported(text=text, lost=(*_without_md5(conda), *losses(section, conda=True, wheels=True)))


def _without_md5(conda: tuple[Locked, ...]) -> Iterator[str]:
    """Say what conda-lock will refuse: it asks for an md5 of every conda package, beside the sha256."""
    missing = [each.name for each in conda if not each.md5]
    if missing:
        yield f"conda-lock wants an md5, and the lock has none: {some(missing)}"


def _conda_package(artefact: Locked, subdir: str) -> dict[str, Any]:
    depends = (each.partition(" ") for each in artefact.depends)
    return _package(artefact, subdir, "conda", {name: limits.strip() for name, _, limits in depends})


def _pip_package(artefact: Locked, subdir: str) -> dict[str, Any]:
    return _package(artefact, subdir, "pip", {})


def _package(artefact: Locked, subdir: str, by: str, depends: dict[str, str]) -> dict[str, Any]:
    return {
        "name": artefact.name,
        "version": artefact.version,
        "manager": by,
        "platform": subdir,
        "dependencies": depends,
        "url": artefact.url,
        "hash": {**({"md5": artefact.md5} if artefact.md5 else {}), "sha256": artefact.sha256},
        "category": "main",
        "optional": False,
    }
