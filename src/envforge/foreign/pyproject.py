"""``pyproject.toml``: PEP 621, with uv's, poetry's or pixi's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envforge.errors import SpecError, UsageError
from envforge.foreign.nouns import Foreign, Remark, Wanted
from envforge.foreign.pixi import read_manifest
from envforge.foreign.requirements import DEEPEST, wheel_package
from envforge.foreign.toml import Dependency, Toml, dependency
from envforge.foreign.variants import page_of
from envforge.foreign.versions import from_poetry
from envforge.foreign.wheel_markers import holds_on_linux


def read_pyproject(text: str, origin: str, environment: str | None, extras: tuple[str, ...]) -> Foreign:
    """Read a ``pyproject.toml``; ``extras`` are optional dependencies and dependency groups to take along.

    Raises SpecError with a place, UsageError for an extra or an environment that is not there.
    """
    toml = Toml(text, origin)
    project, poetry = toml.table("project"), toml.table("tool", "poetry")
    if not project and not poetry and not toml.table("tool", "pixi"):
        raise SpecError("there is no table `[project]`, `[tool.poetry]` or `[tool.pixi]`", (origin,))
    alone = bool(poetry.get("dependencies")) and not project.get("dependencies")
    found = _read_poetry(toml) if alone else _read_project(toml, extras) if extras else _with_torch(toml)
    if not toml.table("tool", "pixi"):
        return found
    pixi = read_manifest(toml, ("tool", "pixi"), environment)
    return replace(
        pixi,
        name=pixi.name or found.name,
        wanted=(*pixi.wanted, *found.wanted),
        python=pixi.python or found.python,
        left_out=(*pixi.left_out, *found.left_out),
    )


def _with_torch(toml: Toml) -> Foreign:
    """Read a project; where it asks for torch only in extras or groups, with the first that has it for CUDA.

    What for is told by indexes, versions and names.
    """
    found = _read_project(toml, ())
    if any(each.name == "torch" for each in found.wanted) or toml.table("tool", "pixi"):
        return found
    named = ((path, _read_project(toml, (path[-1],))) for path in _extra_paths(toml))
    fitting = [(path, read) for path, read in named if any(each.name == "torch" for each in read.wanted)]
    if not fitting:
        return found
    path, read = max(fitting, key=lambda each: (_is_for_cuda(each[1]), "cpu" not in each[0][-1]))
    said = Remark(text=f"`{path[-1]}` is taken, for it asks for torch; another with `--extra`", where=toml.where(*path))
    return replace(read, taken=(*read.taken, said))


def _is_for_cuda(found: Foreign) -> bool:
    torch = [each for each in found.wanted if each.name == "torch"]
    pages = (page_of(each.index) for each in torch if each.index)
    return any("+cu" in each.version for each in torch) or any(
        page and page.cuda not in {None, "none"} for page in pages
    )


def _read_project(toml: Toml, extras: tuple[str, ...]) -> Foreign:
    listed = [*_listed(toml, ("project", "dependencies")), *_chosen(toml, extras)]
    sources, indexes = _sources(toml), {**_poetry_indexes(toml), **_uv_indexes(toml)}
    wanted = [_sourced(each, sources.get(each.name, ()), indexes, extras) for each in listed]
    open_indexes = [each for each in indexes.values() if not each.get("explicit")]
    own = toml.text("tool", "uv", "index-url")
    default = next((each["url"] for each in open_indexes if each.get("default")), own)
    return Foreign(
        origin=toml.origin,
        name=toml.text("project", "name") or "",
        wanted=tuple(each for each in wanted if each is not None),
        python=_requires_python(toml),
        indexes=(
            *(each["url"] for each in open_indexes if not each.get("default")),
            *toml.texts("tool", "uv", "extra-index-url"),
        ),
        default_index=default,
        find_links=toml.texts("tool", "uv", "find-links"),
        exclude_newer=toml.text("tool", "uv", "exclude-newer"),
        left_out=(
            *_local(toml, sources),
            *_not_chosen(toml, extras),
            *_dynamic(toml),
        ),
    )


def _requires_python(toml: Toml) -> Wanted | None:
    path = ("project", "requires-python")
    version = toml.text(*path)
    return (
        Wanted(kind="wheel", name="python", text=version, version=version, where=toml.where(*path)) if version else None
    )


def _listed(toml: Toml, path: tuple[str, ...], depth: int = 0) -> Iterator[Wanted]:
    """Read a list of requirements, groups that it includes too."""
    for line in toml.mixed(*path):
        if isinstance(line, str):
            yield wheel_package(line, toml.where(*path, literal=line))
        elif "include-group" in line and depth < DEEPEST:
            yield from _listed(toml, ("dependency-groups", str(line["include-group"])), depth + 1)


def _chosen(toml: Toml, extras: tuple[str, ...]) -> Iterator[Wanted]:
    for extra in extras:
        path = next((each for each in _extra_paths(toml) if each[-1] == extra), None)
        if path is None:
            known = ", ".join(f"`{each[-1]}`" for each in _extra_paths(toml)) or "none"
            raise UsageError(f"there is no extra or group `{extra}`", (toml.origin,), (f"there are {known}",))
        yield from _listed(toml, path)


def _extra_paths(toml: Toml) -> Iterator[tuple[str, ...]]:
    yield from (("project", "optional-dependencies", name) for name in toml.table("project", "optional-dependencies"))
    yield from (("dependency-groups", name) for name in toml.table("dependency-groups"))


def _not_chosen(toml: Toml, extras: tuple[str, ...]) -> Iterator[Remark]:
    for path in _extra_paths(toml):
        if path[-1] not in extras:
            yield Remark(text=f"`{path[-1]}` is optional: take it with `--extra`", where=toml.where(*path))


def _dynamic(toml: Toml) -> Iterator[Remark]:
    if "dependencies" in toml.texts("project", "dynamic"):
        text = "the dependencies are `dynamic`: import the file that the build reads them from"
        yield Remark(text=text, where=toml.where("project", "dynamic"))


def _uv_indexes(toml: Toml) -> dict[str, Dependency]:
    found = toml.tables("tool", "uv", "index")
    if not all("url" in each for each in found):
        raise SpecError("an entry of `tool.uv.index` has no `url`", (toml.where("tool", "uv", "index"),))
    return {each.get("name", str(at)): each for at, each in enumerate(found)}


def _poetry_indexes(toml: Toml) -> dict[str, Dependency]:
    """Give poetry's sources as indexes that serve only the packages that name them."""
    found = toml.tables("tool", "poetry", "source")
    return {each["name"]: {"url": each["url"], "explicit": "true"} for each in found if {"name", "url"} <= set(each)}


def _sources(toml: Toml) -> dict[str, tuple[Dependency, ...]]:
    """Give the sources of each package: what ``[tool.uv.sources]`` says, one or several with markers, or poetry."""
    found: dict[str, tuple[Dependency, ...]] = {}
    for path, key in ((("tool", "poetry", "dependencies"), "source"), (("tool", "uv", "sources"), "index")):
        for name, listed in toml.table(*path).items():
            choices = listed if isinstance(listed, list) else [listed]
            plain = [dependency(each, toml.where(*path, name), key) for each in choices]
            if key == "source":
                plain = [{"index": each["source"]} for each in plain if "source" in each]
            found[canonicalize_name(name)] = tuple(plain)
    return found


def _sourced(
    wanted: Wanted, source: tuple[Dependency, ...], indexes: Mapping[str, Dependency], extras: tuple[str, ...]
) -> Wanted | None:
    """Tie a package to its source: the one for Linux and the extras that were asked for; None for a local project."""
    for each in source:
        if not holds_on_linux(each.get("marker", "")) or not {each.get("extra"), each.get("group")} <= {None, *extras}:
            continue
        if "path" in each or "workspace" in each:
            return None
        if "git" in each:
            revision = next((f"@{each[key]}" for key in ("rev", "tag", "branch") if key in each), "")
            return replace(wanted, text=f"{Requirement(wanted.text).name} @ git+{each['git']}{revision}")
        if each.get("index") in indexes:
            return replace(wanted, index=indexes[each["index"]]["url"])
    return wanted


def _local(toml: Toml, sources: Mapping[str, tuple[Dependency, ...]]) -> Iterator[Remark]:
    for name, source in sources.items():
        if any("path" in each or "workspace" in each for each in source):
            yield Remark(
                text=f"`{name}` is a local project: install it afterwards",
                where=toml.where("tool", "uv", "sources", name),
            )


def _read_poetry(toml: Toml) -> Foreign:
    path = ("tool", "poetry", "dependencies")
    table = dict(toml.table(*path))
    python = table.pop("python", None)
    pages = {each.get("name", ""): each.get("url") for each in toml.tables("tool", "poetry", "source")}
    found = [_poetry_package(toml, name, each, pages) for name, each in table.items()]
    groups = toml.table("tool", "poetry", "group")
    return Foreign(
        origin=toml.origin,
        name=toml.text("tool", "poetry", "name") or toml.text("project", "name") or "",
        wanted=tuple(each for each in found if isinstance(each, Wanted)),
        python=_poetry_python(toml, python),
        left_out=(
            *(each for each in found if isinstance(each, Remark)),
            *(
                Remark(text=f"group `{name}` is optional", where=toml.where("tool", "poetry", "group", name))
                for name in groups
            ),
        ),
    )


def _poetry_python(toml: Toml, version: Any) -> Wanted | None:
    where = toml.where("tool", "poetry", "dependencies", "python")
    specifier = _poetry_version(str(version), where) if version else None
    return (
        None
        if specifier is None
        else Wanted(kind="wheel", name="python", text=specifier, version=specifier, where=where)
    )


def _poetry_version(version: str, where: str) -> str | None:
    try:
        specifier = from_poetry(version)
    except ValueError as error:
        raise SpecError(str(error), (where,)) from None
    return None if specifier is None else str(specifier)


def _poetry_package(toml: Toml, name: str, found: Any, pages: Mapping[str, str | None]) -> Wanted | Remark:
    where = toml.where("tool", "poetry", "dependencies", name)
    choices = [dependency(each, where) for each in (found if isinstance(found, list) else [found])]
    plain = next((each for each in choices if holds_on_linux(_poetry_marker(each))), {})
    if "path" in plain or plain.get("optional"):
        return Remark(text=f"`{name}` is {'a local project' if 'path' in plain else 'optional'}", where=where)
    extras = f"[{plain['extras']}]" if plain.get("extras") else ""
    if "git" in plain or "url" in plain:
        revision = next((f"@{plain[key]}" for key in ("rev", "tag", "branch") if key in plain), "")
        url = plain["url"] if "url" in plain else f"git+{plain['git']}{revision}"
        return wheel_package(f"{name}{extras} @ {url}", where)
    version = _poetry_version(plain.get("version", "*"), where) or ""
    package = wheel_package(f"{name}{extras}{version}", where, pages.get(plain.get("source", "")))
    return replace(package, name=canonicalize_name(name))


def _poetry_marker(table: Dependency) -> str:
    platform = table.get("platform")
    return table.get("markers", f"sys_platform == '{platform}'" if platform else "")
