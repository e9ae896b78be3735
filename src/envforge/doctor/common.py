"""The values that every rule's sentence may name, where they are known."""

from __future__ import annotations

from collections.abc import Callable

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart, Missing


def common_values(p: Chart) -> dict[str, str]:
    """Give driver, cards, torch and kernel in the words of the recording; what is not known is left out."""
    known = {name: _known(look, p) for name, look in SOURCES.items()}
    return {name: item for name, item in known.items() if item}


def _known(look: Callable[[Chart], object], p: Chart) -> str | None:
    try:
        found = look(p)
    except Missing:
        return None
    return str(found) if found else None


def _cards(p: Chart) -> str:
    rows = p.maybe("nvml", "devices") or r.gpus_on_bus(p)
    names = [str(row.get("name") or row.get("id") or "GPU") for row in rows if isinstance(row, dict)]
    return ", ".join(
        f"{names.count(name)} × {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)
    )


SOURCES: dict[str, Callable[[Chart], object]] = {
    "driver": lambda p: p.maybe("nvml", "driver_version") or r.loaded_version(p),
    "on_disk": lambda p: (r.module_on_disk(p) or {}).get("version"),
    "cuda": r.cuda_driver,
    "cards": _cards,
    "kernel": lambda p: p.maybe("kernel", "release"),
    "torch": r.torch_version,
    "torch_cuda": r.torch_cuda,
    "prefix": lambda p: p.maybe("env_probe", "prefix"),
    "python": lambda p: p.maybe("env_probe", "python"),
}
