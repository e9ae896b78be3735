"""Companions of torch: versions that pair with a release, Pythons that their wheels are for, extensions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from envforge.facts.builds import CONDA_CHANNEL
from envforge.facts.drivers import where_of
from envforge.facts.reading import Part, Row, rows
from envforge.model import Build, ComputeCapability, Dotted

OF_THE_ROW = frozenset({"torch", "note", "source", "seen", "confidence"})


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

        Of conda packages only the absence of any paired version is known. An extension (flash-attn) is one wheel per
        torch, CUDA, Python and C++ ABI, and there is none for the old conda channel; a companion that the default index
        has for one CUDA serves no other family.
        """
        if self.is_extension(name) and (build.sass == () or build.source == CONDA_CHANNEL):
            return False
        if build.kind == "wheel" and (made := self._made_for(name, build, python)) is not None:
            return made
        return self._serves(name, build.torch, build.kind, build.subdir, python)

    def _made_for(self, name: str, build: Build, python: str) -> bool | None:
        """Tell what CUDA decides: True or False for an extension, False for another family; else None."""
        name = canonicalize_name(name)
        if name in self._extensions:
            return bool(build.cuda and self.extension(name, build.torch, build.cuda, python, build.subdir))
        if build.source != "pypi" or build.cuda is None:
            return None
        built = {
            self._wheels.get(name, {}).get(each, {}).get("built") for each in self.versions(build.torch, name) or ()
        }
        majors = {word.removeprefix("cu")[:2] for word in built if word and word.startswith("cu")}
        return False if majors and None not in built and str(build.cuda.major) not in majors else None

    @cached_property
    def _extensions(self) -> frozenset[str]:
        return frozenset(row["name"] for row in rows(self._parts["companions"], "extensions"))

    @cached_property
    def _bounds(self) -> Mapping[str, tuple[SpecifierSet, ...]]:
        found: dict[str, list[SpecifierSet]] = {}
        for row in rows(self._parts["companions"], "requirements"):
            found.setdefault(row["name"], []).append(SpecifierSet(row.get("torch", "")))
        return {name: tuple(bounds) for name, bounds in found.items()}

    @cached_property
    def names(self) -> frozenset[str]:
        """Everything that facts know to follow torch."""
        paired = {name for row in self._pairs.values() for name in row} - OF_THE_ROW
        return frozenset({"triton", *paired, *self._wheels, *self._bounds, *self._extensions})

    @lru_cache(maxsize=4096)  # noqa: B019 - facts live as long as the program
    def _serves(self, name: str, torch: Version, kind: str, subdir: str, python: str) -> bool | None:
        versions = self.versions(torch, name)
        if versions is None:
            bounds = self._bounds.get(canonicalize_name(name), ())
            return False if bounds and not any(torch in bound for bound in bounds) else None
        if not versions:
            return False
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
            if row["torch"] == torch.public:
                return row.get(system)
        return None

    def extension(self, name: str, torch: Version, cuda: Dotted, python: str, subdir: str) -> tuple[str, ...] | None:
        """Give the releases of an extension with a wheel for exactly this torch, CUDA and Python; None if unknown."""
        name = canonicalize_name(name)
        table = [row for row in rows(self._parts["companions"], "extensions") if row["name"] == name]
        found = [row["versions"].split() for row in table if _built(row, torch, cuda, python, subdir)]
        return tuple(version for versions in found for version in versions) if table else None

    def extension_url(self, name: str, build: Build, python: str, *, cxx11_abi: bool) -> str | None:
        """Give the URL of an extension's newest wheel for just this torch, CUDA, Python and ABI; None if unknown."""
        name, torch = canonicalize_name(name), build.torch
        known = (row for row in rows(self._parts["companions"], "published") if row["name"] == name)
        published = next((row for row in known if row["on"] == build.subdir), None)
        table = [row for row in rows(self._parts["companions"], "extensions") if row["name"] == name]
        if published is None or build.cuda is None:
            return None
        made = [row for row in table if _built(row, torch, build.cuda, python, build.subdir)]
        if not made:
            return None
        words = (str(build.cuda.major), f"{build.cuda.major}.{build.cuda.minor}")
        return str(published["url"]).format(
            version=made[-1]["versions"].split()[-1],
            cuda=next(word for word in made[-1]["cuda"].split() if word in words).replace(".", ""),
            torch=f"{torch.major}.{torch.minor}",
            abi=str(cxx11_abi).upper(),
            python=f"cp{python.replace('.', '')}",
        )

    def extension_floor(self, name: str, build: Build, python: str) -> tuple[ComputeCapability, str] | None:
        """Give the least compute capability of an extension's releases for a build, and its source; None if unknown.

        Of conda packages the newest line of releases is meant.
        """
        name = canonicalize_name(name)
        lines = [row for row in rows(self._parts["companions"], "capabilities") if row["name"] == name]
        if build.kind == "wheel" and build.cuda is not None:
            made = self.extension(name, build.torch, build.cuda, python, build.subdir) or ()
            lines = [row for row in lines if any(version.startswith(row["versions"]) for version in made)]
        if not lines:
            return None
        row = lines[-1]
        return ComputeCapability.parse(row["capability"]), where_of("companions", f"{name} {row['versions']}", row)

    def is_extension(self, name: str) -> bool:
        """Tell whether a companion is compiled against one torch, CUDA, Python and C++ ABI, and published apart."""
        return canonicalize_name(name) in self._extensions


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
