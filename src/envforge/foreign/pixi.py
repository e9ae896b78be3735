"""``pixi.toml``, and ``[tool.pixi]`` of a ``pyproject.toml``: one environment of it, for Linux."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from envforge.errors import SpecError, UsageError
from envforge.foreign.conda_env import from_table
from envforge.foreign.nouns import Foreign, Remark, Wanted
from envforge.foreign.requirements import wheel_of, wheel_package
from envforge.foreign.toml import Toml, dependency

HERE = ("unix", "linux", "linux-64")
PLATFORM = "linux-64"
CONDA_TABLES = ("dependencies", "host-dependencies", "build-dependencies", "run-dependencies")
TORCH = frozenset({"pytorch", "pytorch-gpu", "pytorch-cpu", "torch"})
CUDA = frozenset({"pytorch-gpu", "pytorch-cuda", "cudatoolkit", "cuda-version"})
CPU = frozenset({"pytorch-cpu", "cpuonly"})
Path = tuple[str, ...]


def read_pixi(text: str, origin: str, environment: str | None) -> Foreign:
    """Read a ``pixi.toml``. Raises SpecError, and UsageError for an environment that it has not."""
    toml = Toml(text, origin)
    if "workspace" not in toml.plain and "project" not in toml.plain:
        raise SpecError("a pixi manifest has a table `[workspace]`", (origin,))
    return read_manifest(toml, (), environment)


def read_manifest(toml: Toml, root: Path, environment: str | None) -> Foreign:
    """Read the manifest below a path of a TOML document: that environment, else the first with torch for CUDA."""
    return _Manifest(toml, root).foreign(environment)


class _Manifest:
    """A manifest, and the features that make up an environment."""

    def __init__(self, toml: Toml, root: Path) -> None:
        self._toml, self._root = toml, root
        self._head = (*root, "workspace") if "workspace" in toml.table(*root) else (*root, "project")

    def foreign(self, environment: str | None) -> Foreign:
        name = self._pick(environment)
        features = self._features(name)
        wanted = tuple(each for path in features for each in self._packages(path))
        python = next((each for each in wanted if each.name == "python"), None)
        return Foreign(
            origin=self._toml.origin,
            name=self._toml.text(*self._head, "name") or "",
            wanted=tuple(each for each in wanted if each.name != "python"),
            python=python,
            channels=self._channels(features),
            machine_cuda=next(self._machine_cuda(features), None),
            capability=next(self._capabilities(features), None),
            variables=tuple(self._variables(features)),
            **self._indexes(features),
            taken=tuple(self._taken(name)),
            left_out=tuple(self._left_out(features)),
        )

    def _pick(self, environment: str | None) -> str:
        names = ["default", *(each for each in self._toml.table(*self._root, "environments") if each != "default")]
        if environment is None:
            with_torch = [each for each in names if self._names(each) & TORCH]
            return next((each for each in with_torch if self._is_cuda(each)), next(iter(with_torch), "default"))
        if environment not in names:
            known = ", ".join(f"`{each}`" for each in names)
            where = self._toml.where(*self._root, "environments")
            raise UsageError(f"there is no environment `{environment}`", (where,), (f"there are {known}",))
        return environment

    def _names(self, environment: str) -> set[str]:
        return {each.name for path in self._features(environment) for each in self._packages(path)}

    def _is_cuda(self, environment: str) -> bool:
        """Tell whether an environment's torch is for CUDA, as far as names and system requirements say."""
        names = self._names(environment)
        return not names & CPU and bool(names & CUDA or next(self._machine_cuda(self._features(environment)), None))

    def _features(self, name: str) -> tuple[Path, ...]:
        """Give the tables of an environment's features, the default one first unless it is shut out."""
        path = (*self._root, "environments", name)
        table = isinstance(self._toml.table(*path[:-1]).get(name), Mapping)
        named = [(*self._root, "feature", each) for each in self._toml.texts(*path, *(["features"] if table else []))]
        alone = table and self._toml.text(*path, "no-default-feature") == "True"
        return tuple(named) if alone else (self._root, *named)

    def _tables(self, feature: Path, *path: str) -> Iterator[Path]:
        """Give a table of a feature, and what the feature says instead for Linux."""
        for each in (feature, *((*feature, "target", system) for system in HERE)):
            if self._toml.table(*each, *path):
                yield (*each, *path)

    def _packages(self, feature: Path) -> Iterator[Wanted]:
        for kind in CONDA_TABLES:
            for path in self._tables(feature, kind):
                for name, found in self._toml.table(*path).items():
                    yield from_table(name, found, self._toml.where(*path, name))
        for path in self._tables(feature, "pypi-dependencies"):
            for name, found in self._toml.table(*path).items():
                if wheel := pypi_package(name, found, self._toml.where(*path, name)):
                    yield wheel

    def _channels(self, features: tuple[Path, ...]) -> tuple[str, ...]:
        """Give channels in pixi's order: those of features first, then the workspace's."""
        tables = [*(path for path in features if path != self._root), self._head]
        found = [each for path in tables for each in self._toml.mixed(*path, "channels")]
        names = (each if isinstance(each, str) else str(each.get("channel", "")) for each in found)
        return tuple(dict.fromkeys(filter(None, names)))

    def _machine_cuda(self, features: tuple[Path, ...]) -> Iterator[Remark]:
        for feature in features:
            for path in self._tables(feature, "system-requirements"):
                if cuda := self._toml.text(*path, "cuda"):
                    yield Remark(text=cuda, where=self._toml.where(*path, "cuda"))
        for platform in self._platforms(features):
            cuda = platform.get("cuda", platform.get("__cuda"))
            driver = cuda.get("driver") if isinstance(cuda, Mapping) else cuda
            if driver:
                yield Remark(text=str(driver), where=self._toml.where(*self._head, "platforms", literal="cuda"))

    def _capabilities(self, features: tuple[Path, ...]) -> Iterator[str]:
        for platform in self._platforms(features):
            cuda = platform.get("cuda")
            arch = cuda.get("arch") if isinstance(cuda, Mapping) else platform.get("__cuda_arch")
            if arch:
                yield str(arch)

    def _platforms(self, features: tuple[Path, ...]) -> Iterator[Mapping[str, Any]]:
        """Give the workspace's platforms that have a table, for Linux; those that a feature names, where it does."""
        own = (self._toml.mixed(*path, "platforms") for path in features if path != self._root)
        named = {each for platforms in own for each in platforms if isinstance(each, str)}
        for each in self._toml.mixed(*self._head, "platforms"):
            if not isinstance(each, Mapping) or each.get("platform") != PLATFORM:
                continue
            if not named or _platform_name(each) in named:
                yield each

    def _variables(self, features: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
        for feature in features:
            for path in self._tables(feature, "activation", "env"):
                yield from ((key, str(text)) for key, text in self._toml.table(*path).items())

    def _indexes(self, features: tuple[Path, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {"indexes": (), "find_links": (), "default_index": None}
        for path in (*((*feature, "pypi-options") for feature in features), (*self._head, "pypi-options")):
            found["default_index"] = found["default_index"] or self._toml.text(*path, "index-url")
            found["indexes"] = (*found["indexes"], *self._toml.texts(*path, "extra-index-urls"))
            links = (each.get("path") or each.get("url") for each in self._toml.tables(*path, "find-links"))
            found["find_links"] = (*found["find_links"], *filter(None, links))
        return found

    def _taken(self, name: str) -> Iterator[Remark]:
        others = [each for each in self._toml.table(*self._root, "environments") if each != name]
        if others:
            text = f"environment `{name}` is taken; others ({', '.join(others)}) with `--environment`"
            yield Remark(text=text, where=self._toml.where(*self._root, "environments"))

    def _left_out(self, features: tuple[Path, ...]) -> Iterator[Remark]:
        platforms = (each for each in self._toml.mixed(*self._head, "platforms") if isinstance(each, str))
        if others := [each for each in platforms if each != PLATFORM]:
            text = f"platforms {', '.join(others)}: name the machines under `targets`"
            yield Remark(text=text, where=self._toml.where(*self._head, "platforms"))
        for feature in features:
            yield from self._left_out_of(feature)

    def _left_out_of(self, feature: Path) -> Iterator[Remark]:
        for key, why in (("tasks", "tasks are pixi's own"), ("activation", "activation scripts are not run")):
            table = self._toml.table(*feature, key)
            if table and (key == "tasks" or "scripts" in table):
                yield Remark(text=why, where=self._toml.where(*feature, key))
        for key in self._toml.table(*feature, "system-requirements"):
            if key != "cuda":
                text = f"`system-requirements.{key}` is not carried: envforge reads the machine"
                yield Remark(text=text, where=self._toml.where(*feature, "system-requirements", key))
        for path in self._tables(feature, "pypi-dependencies"):
            for name, found in self._toml.table(*path).items():
                if pypi_package(name, found, "") is None:
                    yield Remark(
                        text=f"`{name}` is a local project: install it afterwards", where=self._toml.where(*path, name)
                    )


def _platform_name(table: Mapping[str, Any]) -> str:
    """Give a platform's name: its own, or the one that pixi makes (``linux-64-cuda-12-9``)."""
    cuda = table.get("cuda")
    driver = cuda.get("driver") if isinstance(cuda, Mapping) else cuda
    made = f"{table['platform']}-cuda-{driver}" if driver else str(table["platform"])
    return str(table.get("name") or made.replace(".", "-"))


def pypi_package(name: str, found: Any, where: str) -> Wanted | None:
    """Read pixi's form of a wheel: a version, or a table; None for a local project. Raises SpecError."""
    plain = dependency(found, where)
    if plain.get("path"):
        return None
    extras = f"[{plain['extras']}]" if plain.get("extras") else ""
    if url := plain.get("url"):
        return wheel_of(url, where) or wheel_package(f"{name}{extras} @ {url}", where)
    if git := plain.get("git"):
        revision = next((plain[key] for key in ("rev", "tag", "branch") if key in plain), None)
        return wheel_package(f"{name}{extras} @ git+{git}" + (f"@{revision}" if revision else ""), where)
    version = plain.get("version", "*").strip()
    sign = "==" if version[:1].isdigit() else ""
    text = f"{name}{extras}" + ("" if version == "*" else f"{sign}{version}")
    return wheel_package(text, where, plain.get("index"))
