"""What the doctor knows in numbers: the house's facts, and the tables of ``known.yaml``, compiled with the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envforge.facts import Card, Facts
from envforge.model import ComputeCapability, Dotted, value


@value
class Known:
    """The facts, the doctor's own tables by name, and the questions that signs ask them."""

    facts: Facts
    tables: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.tables[name]

    def card(self, pci_id: str) -> Card | None:
        """Tell which card a PCI id (``10de:2b85``) is; None for an id that no fact has."""
        return self.facts.cards.device(pci_id.rsplit(":", 1)[-1])

    def executes(self, flags: Iterable[str], device: ComputeCapability, cuda: Dotted | None, tegra: bool) -> bool:
        """Tell whether a build's arch flags (``sm_90 compute_120``) hold code or PTX for a device."""
        return any(self._runs(flag, device, cuda, tegra) for flag in flags)

    def _runs(self, flag: str, device: ComputeCapability, cuda: Dotted | None, tegra: bool) -> bool:
        try:
            code = ComputeCapability.parse(flag)
        except ValueError:
            return False
        if flag.endswith("a"):
            return code == device
        if flag.startswith("compute_"):
            return self.facts.kernels.compiles(code, device)
        return self.facts.executes(code, device, tegra, cuda)

    def name_of(self, kind: str, code: int | None) -> str:
        """Give a return code's name: kind is ``nvml`` or ``cuda``."""
        return str(self[f"{kind}_codes"].get(str(code), "UNKNOWN CODE"))
