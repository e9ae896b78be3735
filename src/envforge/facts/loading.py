"""Load the facts: compiled JSON, one part when it is first asked for, so that nobody pays for what they do not read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from envforge.facts.builds import builds_of
from envforge.facts.drivers import Drivers
from envforge.facts.kernels import Kernels
from envforge.facts.nouns import Architecture, Branch
from envforge.facts.reading import Part
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

    def executes(self, code: ComputeCapability, device: ComputeCapability, cuda: Dotted | None = None) -> bool:
        """Tell whether machine code made by a toolkit runs on a device (`Kernels.executes`)."""
        return self.kernels.executes(code, device, cuda)


def load_facts() -> Facts:
    """Load the packaged facts."""
    return Facts(Parts(COMPILED))
