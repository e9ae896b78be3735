"""The cards: on the PCI bus, and as NVML answers for them."""

from __future__ import annotations

from typing import Any

from envforge.doctor.chart import Chart, Missing
from envforge.facts import Architecture
from envforge.model import ComputeCapability

Device = dict[str, Any]


def gpus_on_bus(p: Chart) -> list[Device]:
    """Give NVIDIA's functions of display class; raises Missing where the bus, or what is on it, could not be read."""
    rows = p.entries("pci")
    found = [row for row in rows if _vendor(row) == "10de" and str(row.get("class")).startswith(("0x03", "03"))]
    if not found and any(_might_be_ours(row) for row in rows):
        raise Missing("pci")
    return found


def _might_be_ours(row: Device) -> bool:
    """Tell whether what was read of a function leaves open that it is an NVIDIA GPU."""
    named = "id" not in row or _vendor(row) == "10de"
    return named and ("id" not in row or "class" not in row)


def nvlink_switches(p: Chart) -> str | None:
    """Give the evidence of an NVSwitch; old nForce mainboard functions have the same vendor and class."""
    count = p.maybe("nvswitch", "devices")
    if count:
        return f"{count} NVSwitch devices"
    if node := next((row for row in p.maybe("dev_nodes") or () if "nvidia-nvswitch" in str(row)), None):
        return f"{node.get('path') if isinstance(node, dict) else node} is there"
    bridges = [row for row in p.maybe("pci") or () if isinstance(row, dict) and _is_bridge(row)]
    found = [row for row in bridges if not is_nforce(p, row)]
    return f"NVSwitch {found[0].get('bdf')} ({found[0].get('id')})" if found else None


def is_nforce(p: Chart, row: Device) -> bool:
    first, last = (int(text, 16) for text in p.known["nforce_ids"])
    try:
        return _is_bridge(row) and first <= int(str(row.get("id")).split(":")[-1], 16) <= last
    except ValueError:
        return False


def _is_bridge(row: Device) -> bool:
    return _vendor(row) == "10de" and str(row.get("class")).startswith(("0x0680", "0680"))


def _vendor(row: Device) -> str:
    return str(row.get("id")).lower().removeprefix("0x").split(":")[0]


def bound(p: Chart, driver: str = "nvidia") -> list[Device]:
    """Give the GPUs whose sysfs driver link names this driver."""
    return [row for row in gpus_on_bus(p) if row.get("driver") == driver]


def devices(p: Chart) -> list[Device]:
    """Give the devices that NVML lists; empty when it lists none."""
    return p.entries("nvml", "devices")


def answered(device: Device) -> bool:
    return not device.get("error")


def healthy_devices(p: Chart) -> list[Device]:
    return [device for device in devices(p) if answered(device)]


def capability(device: Device) -> ComputeCapability | None:
    try:
        return ComputeCapability.parse(str(device.get("cc") or device.get("compute_capability")))
    except ValueError:
        return None


def capabilities(p: Chart) -> list[tuple[str, ComputeCapability]]:
    """Give name and compute capability of every device that answers: by NVML, else by CUDA, bus or board."""
    if p.maybe("nvml", "devices") is not None:
        rows = healthy_devices(p)
    elif p.maybe("cuda", "devices") is not None:
        rows = p.entries("cuda", "devices")
    elif p.maybe("pci") is not None and p.maybe("platform", "kind") in ("bare-metal", "vm"):
        cards = [p.known.card(str(row.get("id"))) for row in gpus_on_bus(p)]
        return [(card.name, card.capability) for card in cards if card]
    else:
        model = str(p.need("tegra", "model"))
        rows = [{"name": model, "cc": cc} for word, cc in p.known["tegra_models"] if word in model][:1]
    found = [(str(device.get("name") or "GPU"), capability(device)) for device in rows]
    return [(name, level) for name, level in found if level]


def architectures(p: Chart) -> list[tuple[Device, Architecture]]:
    """Give the GPUs on the bus whose PCI id tells what they are."""
    cards = [(row, p.known.card(str(row.get("id")))) for row in gpus_on_bus(p)]
    return [(row, card.architecture) for row, card in cards if card and card.architecture]


def label(row: Device) -> str:
    return " ".join(str(row[key]) for key in ("name", "id", "bdf") if row.get(key))


def serves(p: Chart) -> bool:
    """Tell whether CUDA works on some GPU here, so that a neighbour's trouble does not stop the work."""
    if p.maybe("cuda", "cuInit", "code") == 0 and (p.maybe("cuda", "device_count") or 0) > 0:
        return True
    return bool(p.maybe("env_probe", "smoke_kernel") == "ok")


def name_of(device: Device) -> str:
    name, index = device.get("name"), device.get("index")
    return " ".join(str(part) for part in (index, name) if part is not None) or "?"


def yes(item: Any) -> bool:
    """Tell whether an answer means yes, in any of the spellings that tools use."""
    return item is True or str(item).strip().lower() in ("1", "yes", "true", "on", "enabled", "active")


def parts_of(device: Device, *words: str) -> list[tuple[str, Any]]:
    """Give a device's values whose dotted path has all these words, in any depth."""
    found: list[tuple[str, Any]] = []

    def walk(path: str, item: Any) -> None:
        if isinstance(item, dict):
            for key, entry in item.items():
                walk(f"{path}.{key}".lower(), entry)
        elif all(word in path for word in words):
            found.append((path.strip("."), item))

    walk("", device)
    return found


def mig_on(device: Device) -> bool:
    mig = device.get("mig", device.get("mig_mode"))
    return yes(mig.get("current")) if isinstance(mig, dict) else yes(mig)


def mig_instances(device: Device) -> list[Any] | None:
    """Give the MIG instances; None when they were not asked for."""
    mig = device.get("mig")
    found = mig.get("instances") if isinstance(mig, dict) else device.get("mig_devices")
    if isinstance(found, int):
        return list(range(found))
    return found if isinstance(found, list) else None


def xid(p: Chart, *codes: int) -> str | None:
    """Give the first Xid of these numbers that the kernel log or a counter holds."""
    numbers = "|".join(str(code) for code in codes)
    if line := p.said(rf"Xid[^:]*\([^)]*\): ({numbers})\b"):
        return line
    wanted = set(codes)
    return next((f"{path} = {item}" for path, item in p.leaves if "xid" in path.lower() and item in wanted), None)
