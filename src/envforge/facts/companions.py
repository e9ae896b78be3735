"""Companions of torch: versions that pair with a release, Pythons that their wheels are for, extensions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from envforge.facts.reading import Part, Row, rows
from envforge.model import Build, Dotted


class Companions:
    """The file ``companions``, and what ``torch`` says of releases, as tables; None where no fact is."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts

    @cached_property
    def _pairs(self) -> Mapping[str, Row]:
        return {row["torch"]: row for row in rows(self._parts["companions"], "pairs")}

    @cached_property
    def _wheels(self) -> Mapping[str, Mapping[str, Row]]:
        found: dict[str, dict[str, Row]] = {}
        for row in rows(self._parts["companions"], "wheels"):
            found.setdefault(row["name"], {})[row["version"]] = row
        return found

    @cached_property
    def releases(self) -> Mapping[str, Row]:
        """Give what is known of each torch release: ``date``, ``cudnn``, ``triton``."""
        return {row["torch"]: row for row in rows(self._parts["torch"], "releases")}

    @lru_cache(maxsize=4096)  # noqa: B019 - facts live as long as the program
    def versions(self, torch: Version, name: str) -> tuple[str, ...] | None:
        """Give the versions of a companion for a torch release, oldest first; ``()`` when there is none."""
        name = canonicalize_name(name)
        if name == "triton":
            return self._triton(torch)
        words = self._pairs.get(str(torch), {}).get(name)
        return None if words is None else tuple(words.split())

    def _triton(self, torch: Version) -> tuple[str, ...] | None:
        release = self.releases.get(str(torch))
        if release is None:
            return None
        if "triton" not in release:
            return ()
        pin = SpecifierSet(release["triton"])
        return tuple(version for version in self._wheels["triton"] if version in pin)

    @lru_cache(maxsize=4096)  # noqa: B019 - facts live as long as the program
    def pythons(self, name: str, version: str, subdir: str) -> tuple[str, ...] | None:
        """Give the Pythons that a release has wheels for on a platform, ``3.10+`` for any later one too."""
        row = self._wheels.get(canonicalize_name(name), {}).get(version)
        return None if row is None else tuple(row.get(subdir, "").split())

    def serves(self, name: str, build: Build, python: str) -> bool | None:
        """Tell whether a companion exists for a build of torch and a Python; None when that is not known.

        Of conda packages only the absence of any paired version is known.
        """
        return self._serves(name, build.torch, build.kind, build.subdir, python)

    @lru_cache(maxsize=4096)  # noqa: B019 - facts live as long as the program
    def _serves(self, name: str, torch: Version, kind: str, subdir: str, python: str) -> bool | None:
        versions = self.versions(torch, name)
        if versions is None or not versions:
            return None if versions is None else False
        if kind == "conda":
            return None
        known = [self.pythons(name, version, subdir) for version in versions]
        if any(words is not None and _has(words, python) for words in known):
            return True
        return None if None in known else False

    def numpy_limit(self, torch: Version, subdir: str) -> str | None:
        """Give the specifier that numpy must meet beside a torch release, ``<2``; None for no limit known."""
        system = "windows" if subdir.startswith("win") else "linux"
        for row in rows(self._parts["companions"], "numpy"):
            if row["torch"] == str(torch):
                return row.get(system)
        return None

    def extension(self, name: str, torch: Version, cuda: Dotted, python: str, subdir: str) -> tuple[str, ...] | None:
        """Give the releases of an extension with a wheel for exactly this torch, CUDA and Python; None if unknown."""
        name = canonicalize_name(name)
        table = [row for row in rows(self._parts["companions"], "extensions") if row["name"] == name]
        found = [row["versions"].split() for row in table if _built(row, torch, cuda, python, subdir)]
        return tuple(version for versions in found for version in versions) if table else None

    def extension_capability(self, name: str, version: str) -> str | None:
        """Give the least compute capability that a release of an extension has code for, ``8.0``."""
        for row in rows(self._parts["companions"], "capabilities"):
            if row["name"] == canonicalize_name(name) and version.startswith(row["versions"]):
                return str(row["capability"])
        return None


def _has(words: tuple[str, ...], python: str) -> bool:
    return python in words or any(word.endswith("+") and Dotted(word[:-1]) <= Dotted(python) for word in words)


def _built(row: Row, torch: Version, cuda: Dotted, python: str, subdir: str) -> bool:
    minor = f"{torch.major}.{torch.minor}"
    built = [word for word in row["cuda"].split() if word in (str(cuda.major), f"{cuda.major}.{cuda.minor}")]
    excluded = row.get("excluding", "").split()
    return (
        row["on"] == subdir
        and minor in row["torch"].split()
        and python in row["python"].split()
        and f"{minor}/py{python}" not in excluded
        and any(f"{minor}/cu{word}" not in excluded for word in built)
    )
