"""How the cards hang together: which bridges they share, and whether an IOMMU stands between."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from envforge.detect.host import Host, require

VENDOR, DISPLAY = "0x10de", "0x03"


def pcie(host: Host) -> dict[str, Any] | None:
    """Read the nearest thing that each pair of cards shares, in the words of `nvidia-smi topo`; None without cards."""
    require(host, "/sys")
    cards = {
        path.name: _above(host, path.name) for path in host.glob("/sys/bus/pci/devices/*") if _is_card(host, path.name)
    }
    if not cards:
        return None
    topo = {f"{one} {two}": _between(host, one, two, cards) for one, two in combinations(cards, 2)}
    groups = host.path("/sys/kernel/iommu_groups")
    return {"iommu_groups": groups.is_dir() and any(groups.iterdir())} | ({"topo": topo} if topo else {})


def _is_card(host: Host, name: str) -> bool:
    here = f"/sys/bus/pci/devices/{name}"
    return host.words(f"{here}/vendor") == VENDOR and (host.words(f"{here}/class") or "").startswith(DISPLAY)


def _above(host: Host, name: str) -> tuple[str, ...]:
    """Give what stands above a card, the root complex first: ``pci0000:00``, ``0000:00:01.1``, ``0000:02:00.0``."""
    parts = host.path(f"/sys/bus/pci/devices/{name}").resolve().parts
    return tuple(part for part in parts[:-1] if ":" in part)


def _between(host: Host, one: str, two: str, above: dict[str, tuple[str, ...]]) -> str:
    shared = [here for here, there in zip(above[one], above[two], strict=False) if here == there]
    if len(shared) > 1:
        left = max(len(above[one]), len(above[two])) - len(shared)
        return "PIX" if left <= 1 else "PXB"
    if shared:
        return "PHB"
    nodes = {host.words(f"/sys/bus/pci/devices/{name}/numa_node") for name in (one, two)}
    return "NODE" if len(nodes) == 1 and nodes.isdisjoint({None, "-1"}) else "SYS"
