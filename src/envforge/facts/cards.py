"""GPUs by name or PCI id, and what they can do at most."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from envforge.facts.drivers import Drivers, dotted, where_of
from envforge.facts.nouns import Card, Peak
from envforge.facts.reading import Part, Row, rows
from envforge.model import ComputeCapability

GIB = 1 << 30
MIG = re.compile(r"(?P<parent>.+?) MIG \S+$")
VGPU = re.compile(r"(?:GRID )?(?P<parent>.+)-\d+[ABCQ]$")
BRANDS = frozenset({"geforce", "tesla", "quadro"})
CONSUMER = BRANDS - {"quadro"}
FORMATS = ("fp32", "tf32", "bf16", "fp16", "fp8", "fp4")


class Cards:
    """The files ``cards``, ``pci`` and ``peaks`` as tables."""

    def __init__(self, parts: Mapping[str, Part], drivers: Drivers) -> None:
        self._parts, self._drivers = parts, drivers

    @cached_property
    def _by_name(self) -> Mapping[str, Row]:
        return {plain_name(row["name"]): row for row in rows(self._parts["cards"], "cards")}

    @cached_property
    def _by_device(self) -> Mapping[str, Row]:
        return {row["id"]: row for row in rows(self._parts["pci"], "devices")}

    @cached_property
    def _by_subsystem(self) -> Mapping[tuple[str, str], str]:
        table = rows(self._parts["pci"], "products")
        return {(row["id"], subsystem): row["name"] for row in table for subsystem in row["subsystems"].split()}

    @cached_property
    def _peaks(self) -> Mapping[str, Row]:
        return {plain_name(row["name"]): row for row in rows(self._parts["peaks"], "peaks")}

    @property
    def names(self) -> tuple[str, ...]:
        """Give the name of every card, as NVML spells it."""
        return tuple(row["name"] for row in self._by_name.values())

    def named(self, name: str) -> Card | None:
        """Find a card by NVML's name, with or without the prefix ``NVIDIA``, in any case.

        A MIG slice or a vGPU profile is found by its parent, and its memory is unknown. A short name (``A100``,
        ``RTX 4090``) is taken when all cards that it may mean have one capability; it keeps the name as given.
        """
        if row := self._by_name.get(plain_name(name)):
            return self._card(row, row["name"])
        for pattern in (MIG, VGPU):
            if (match := pattern.match(name)) and (row := self._by_name.get(plain_name(match["parent"]))):
                return self._card({**row, "memory_gb": None}, name)
        return self._meant(name)

    def _meant(self, name: str) -> Card | None:
        wanted, table = _words(name, BRANDS), self._by_name.values()
        exact = [row for row in table if _words(row["name"], CONSUMER) == _words(name, CONSUMER)]
        meant = exact or [row for row in table if wanted and _words(row["name"], BRANDS)[: len(wanted)] == wanted]
        if len({row["cc"] for row in meant}) != 1:
            return None
        least = min(meant, key=lambda row: _least_bytes(row.get("memory_gb")) or 0)
        kinds = {row["kind"] for row in meant}
        return self._card({**least, "kind": kinds.pop() if len(kinds) == 1 else None, "confidence": "inferred"}, name)

    def device(self, device: str, subsystem: str | None = None) -> Card | None:
        """Find a card by PCI device id (``2684``), and by subsystem (``10DE:16F3``) where that decides the product."""
        row = self._by_device.get(device.upper())
        if row is None:
            return None
        name = self._by_subsystem.get((row["id"], (subsystem or "").upper()), row["name"])
        card = self.named(name)
        if card and str(card.capability) == row["cc"]:
            return card
        return self._card({**row, "chips": row["chip"]}, name, "pci")

    def _card(self, row: Row, name: str, file: str = "cards") -> Card:
        capability = ComputeCapability.parse(row["cc"])
        return Card(
            name=name,
            capability=capability,
            kind=row.get("kind"),
            memory_bytes=_least_bytes(row.get("memory_gb")),
            chips=tuple(row["chips"].split()),
            architecture=self._drivers.architecture(capability),
            listed=dotted(row.get("listed")),
            mobile=row.get("mobile", False),
            year=row.get("year"),
            confidence=row["confidence"],
            where=where_of(file, row["name"], row),
        )

    def peak(self, name: str) -> Peak | None:
        """Give the peak rates of a card by NVML's name, with or without the prefix."""
        row = self._peaks.get(plain_name(name))
        if row is None:
            return None
        return Peak(
            name=row["name"],
            capability=ComputeCapability.parse(row["cc"]),
            tflops={each: row[each] for each in FORMATS if each in row},
            bandwidth_gb_per_s=row.get("bandwidth"),
            read=tuple(row.get("read", "").split()),
            confidence=row["confidence"],
            where=where_of("peaks", row["name"], row),
        )


def plain_name(name: str) -> str:
    """Give what two spellings of one name share: no prefix ``NVIDIA``, one blank between words, lower case."""
    return " ".join(name.lower().removeprefix("nvidia ").split())


def _words(name: str, left_out: frozenset[str]) -> list[str]:
    return [word for word in re.split(r"[\s-]+", plain_name(name)) if word not in left_out]


def _least_bytes(sizes: object) -> int | None:
    return None if sizes is None else int(min(float(size) for size in str(sizes).split()) * GIB)
