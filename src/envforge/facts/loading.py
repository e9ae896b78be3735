"""Load the facts: compiled JSON, one part when it is first asked for, so that nobody pays for what they do not read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.version import Version

from envforge.facts.builds import abi_of, builds_of
from envforge.facts.cards import Cards
from envforge.facts.companions import Companions
from envforge.facts.drivers import Drivers, python_of, where_of
from envforge.facts.kernels import Kernels
from envforge.facts.nouns import Architecture, Branch, Card, Peak, PythonMinor
from envforge.facts.reading import Part, rows
from envforge.model import Build, ComputeCapability, Dotted

COMPILED = Path(__file__).parent / "compiled"


class Parts(Mapping[str, Part]):
    """The compiled files by name, each read once, when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._read = folder, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._read:
            path = self._folder / f"{name}.json"
            if not path.is_file():
                raise KeyError(name)
            self._read[name] = json.loads(path.read_text(encoding="utf-8"))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self._folder.glob("*.json")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Facts:
    """What the world says of drivers, CUDA, torch and GPUs. Answers are values; None where no fact is.

    ``digest`` is the sha256 of the YAML files, ``dated`` the newest day on which any of them was seen.
    """

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._parts = parts
        self._builds: dict[str, tuple[Build, ...]] = {}

    @property
    def digest(self) -> str:
        return str(self._parts["index"]["digest"])

    @property
    def dated(self) -> str:
        return str(self._parts["index"]["dated"])

    def builds(self, subdir: str) -> tuple[Build, ...]:
        """Give every torch build for a platform; none for a platform that no fact names.

        ``source`` is ``conda-forge``, ``pytorch`` (the wheel index), ``pypi``, or the URL of the old conda channel.
        """
        if subdir not in self._builds:
            self._builds[subdir] = builds_of(self._parts.get(f"builds-{subdir}", ()))
        return self._builds[subdir]

    @cached_property
    def drivers(self) -> Drivers:
        """Branches, toolkits and architectures as tables."""
        return Drivers(self._parts)

    @cached_property
    def kernels(self) -> Kernels:
        """The rules of GPU code."""
        return Kernels(self._parts)

    def branch(self, driver: Dotted) -> Branch | None:
        """Give a driver's branch; the newest known one for a driver newer than all of them."""
        return self.drivers.branch(driver)

    def cuda_of_driver(self, driver: Dotted) -> Dotted | None:
        """Give the newest CUDA that a driver's branch reports; for a driver newer than all facts, at least this."""
        branch = self.drivers.branch(driver)
        return branch.cuda if branch else None

    def architecture(self, capability: ComputeCapability) -> Architecture | None:
        """Give what is known of the GPUs of one compute capability: first and last driver, module, CUDA range."""
        return self.drivers.architecture(capability)

    def driver_floor(self, cuda: Dotted, subdir: str) -> Dotted | None:
        """Give the least driver for a CUDA, by minor-version compatibility where its major has that."""
        found = self.drivers.floor(cuda, subdir)
        return found[0] if found else None

    def native_driver(self, cuda: Dotted, subdir: str) -> Dotted | None:
        """Give the driver that came with a toolkit minor, ``12.8``; it can compile that toolkit's PTX."""
        found = self.drivers.native(cuda, subdir)
        return found[0] if found else None

    def executes(
        self, code: ComputeCapability, device: ComputeCapability, tegra: bool = False, cuda: Dotted | None = None
    ) -> bool:
        """Tell whether machine code made by the toolkit ``cuda`` runs on a device (`Kernels.executes`)."""
        return self.kernels.executes(code, device, tegra, cuda)

    @cached_property
    def companions(self) -> Companions:
        """What goes with a torch release."""
        return Companions(self._parts)

    def companion(self, torch: Version, name: str) -> tuple[str, ...] | None:
        """Give the versions of a companion for a torch release, oldest first; ``()`` none exists, None no fact."""
        return self.companions.versions(torch, name)

    def companion_serves(self, name: str, build: Build, python: str) -> bool | None:
        """Tell whether a companion exists for a build and a Python (`Companions.serves`)."""
        return self.companions.serves(name, build, python)

    def numpy_limit(self, build: Build) -> str | None:
        """Give the specifier that numpy must meet beside a wheel of torch, which declares none; None for no limit."""
        return self.companions.numpy_limit(build.torch, build.subdir) if build.kind == "wheel" else None

    def released(self, torch: Version) -> str | None:
        """Give the day on which a torch release came out, ``2026-10-28``."""
        release = self.companions.releases.get(str(torch))
        return str(release["date"]) if release else None

    @cached_property
    def cards(self) -> Cards:
        """GPU products, PCI ids and peak rates."""
        return Cards(self._parts, self.drivers)

    def card(self, name: str) -> Card | None:
        """Find a card by NVML's name, with or without the prefix ``NVIDIA`` (`Cards.named`, `Cards.device`)."""
        return self.cards.named(name)

    def peak(self, name: str) -> Peak | None:
        """Give the peak rates of a card by NVML's name."""
        return self.cards.peak(name)

    def first_toolkit(self, subdir: str) -> tuple[Dotted, str] | None:
        """Give the first CUDA for which conda-forge has nvcc and headers on a platform, and its source."""
        found = (row for row in rows(self._parts["conda_forge"], "toolkit") if row["on"] == subdir)
        if row := next(found, None):
            return Dotted(row["first"]), where_of("conda_forge", f"toolkit {subdir}", row)
        return None

    def cxx11_abi(self, build: Build) -> bool | None:
        """Tell whether a build for Linux has the new C++ ABI, which its extensions must share; None where unknown."""
        return abi_of(self._parts["torch"], build)

    def python(self, minor: str) -> PythonMinor | None:
        """Give what is known of a minor of CPython, ``3.12``."""
        found = (row for row in rows(self._parts["pythons"], "pythons") if row["python"] == minor)
        return python_of(row) if (row := next(found, None)) else None


def load_facts(overlay: Path | None = None) -> Facts:
    """Load the packaged facts, and over them every YAML file of a folder, if it is there (`overlay`).

    Raises SpecError with the place of a row that cannot be read.
    """
    packaged = Parts(COMPILED)
    if overlay is None or not os.path.isdir(overlay):  # noqa: PTH112 - Path.is_dir raises where a parent is closed
        return Facts(packaged)
    from envforge.facts.overlay import Overlaid, Overlay

    return Facts(Overlaid(packaged, Overlay(overlay)))
