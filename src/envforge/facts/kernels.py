"""Which GPU code runs on which GPU: binary compatibility of SASS, and PTX that a driver compiles."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from envforge.facts.builds import capabilities
from envforge.facts.reading import Part, rows
from envforge.model import ComputeCapability, Dotted


class Kernels:
    """The file ``compat`` as tables."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._part = parts["compat"]

    @cached_property
    def _sass(self) -> Mapping[ComputeCapability, tuple[ComputeCapability, ...]]:
        return {ComputeCapability.parse(row["code"]): capabilities(row["devices"]) for row in rows(self._part, "sass")}

    @cached_property
    def _tegra(self) -> Mapping[ComputeCapability, Dotted | None]:
        table = rows(self._part, "tegra")
        return {
            ComputeCapability.parse(row["device"]): Dotted(row["until"]) if "until" in row else None for row in table
        }

    def executes(
        self, code: ComputeCapability, device: ComputeCapability, tegra: bool = False, cuda: Dotted | None = None
    ) -> bool:
        """Tell whether machine code for one capability runs on a device of another.

        Same major, same minor or later. A Tegra device (known by its capability, or by ``tegra``) runs only its own
        code, unless ``cuda``, the toolkit that made the code, is new enough. A capability that the table does not
        name follows the rule of the major alone.
        """
        if code == device:
            return True
        if self._excluded(code, device, tegra, cuda):
            return False
        if code in self._sass and device in self._sass and device not in self._tegra:
            return device in self._sass[code]
        return _same_major(code, device)

    def _excluded(self, code: ComputeCapability, device: ComputeCapability, tegra: bool, cuda: Dotted | None) -> bool:
        if device in self._sass.get(code, ()):
            return False
        if code in self._tegra or device not in self._tegra:
            return code in self._tegra or (tegra and device not in self._sass)
        until = self._tegra[device]
        return until is None or cuda is None or cuda < until

    def compiles(self, ptx: ComputeCapability, device: ComputeCapability) -> bool:
        """Tell whether PTX for one capability can be compiled for a device, by a driver that knows its toolkit."""
        return ptx <= device


def _same_major(code: ComputeCapability, device: ComputeCapability) -> bool:
    return code.major == device.major and code.minor <= device.minor
