"""Which GPUs a machine has, by the best witness: NVML, then libcuda, then the PCI bus and the device nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from envforge.detect.raw import Raw
from envforge.model import ABSENT, Absent, ComputeCapability, Driver, Gpu

MIB = 1 << 20
DISPLAY = "0x03"
WITNESSES = (
    ("nvml", "devices"),
    ("cuda", "ab_tests", "without CUDA_VISIBLE_DEVICES", "devices"),
    ("cuda", "devices"),
)


def gpus_of(raw: Raw, driver: Driver | Absent | None) -> tuple[Gpu, ...] | None:
    """Give the GPUs that are here: ``()`` when everybody who could see one saw none, None when nobody could tell.

    A bus shows a container the host's GPUs, so that only NVML, libcuda and the nodes count there.
    """
    stated = _stated(raw)
    if stated is not None:
        return stated
    witness = next((source for source in WITNESSES if raw.listed(*source)), None)
    seen = _gpus(raw, *witness) if witness else ()
    if seen or (witness and not _refused(raw)):
        return seen
    return _without_a_driver(raw)


def _refused(raw: Raw) -> bool:
    """Tell whether a card hangs on this computer's own bus that its driver does not list: it refused it."""
    return raw.text("platform", "kind") != "container" and any(_displays(raw))


def _stated(raw: Raw) -> tuple[Gpu, ...] | None:
    """Give what CONDA_OVERRIDE_CUDA and _CUDA_ARCH state; None when they leave it to detection."""
    if raw.override("CONDA_OVERRIDE_CUDA") is ABSENT:
        return ()
    arch = raw.get("overrides", "CONDA_OVERRIDE_CUDA_ARCH")
    if not isinstance(arch, str):
        return None
    words = [word for word in re.split(r"[,;\s]+", arch) if word]
    found = tuple(_capability(word) for word in words)
    return tuple(Gpu(index=index, name=None, compute_capability=each) for index, each in enumerate(found) if each)


def _gpus(raw: Raw, *path: str) -> tuple[Gpu, ...]:
    ids = {row.get("bdf"): row.get("id") for row in raw.rows("pci")}
    return tuple(_gpu(row, place, ids) for place, row in enumerate(raw.rows(*path)))


def _gpu(row: Mapping[str, Any], place: int, ids: Mapping[Any, Any]) -> Gpu:
    index, mig = row.get("index"), row.get("mig")
    current = mig.get("current") if isinstance(mig, Mapping) else None
    pci_id = row.get("pci") or ids.get(_short(row.get("bdf")))
    return Gpu(
        index=index if isinstance(index, int) else place,
        name=_word(row.get("name")),
        compute_capability=_capability(row.get("cc")),
        memory_bytes=_memory(row),
        uuid=_word(row.get("uuid")),
        pci_id=_word(pci_id),
        mig=None if current is None else bool(current),
    )


def _short(bdf: Any) -> str | None:
    """NVML writes ``00000000:01:00.0`` where sysfs has ``0000:01:00.0``."""
    return bdf[-12:].lower() if isinstance(bdf, str) else None


def _word(item: Any) -> str | None:
    return item if isinstance(item, str) and item else None


def _memory(row: Mapping[str, Any]) -> int | None:
    exact, rounded = row.get("memory_bytes"), row.get("memory_mib")
    if isinstance(exact, int):
        return exact
    return rounded * MIB if isinstance(rounded, int) else None


def _capability(item: Any) -> ComputeCapability | None:
    try:
        return ComputeCapability.parse(str(item))
    except ValueError:
        return None


def _without_a_driver(raw: Raw) -> tuple[Gpu, ...] | None:
    """Ask the bus, the nodes and the libraries, where no driver's library answers."""
    if raw.override("CONDA_OVERRIDE_CUDA") is not None:
        return None
    if _foreign(raw):
        return ()
    if raw.text("platform", "kind") == "container":
        return () if _nothing_given(raw) else None
    on_bus = tuple(_displays(raw))
    if on_bus:
        return tuple(
            Gpu(index=index, name=_word(row.get("name")), compute_capability=None, pci_id=_word(row.get("id")))
            for index, row in enumerate(on_bus)
        )
    return () if _nothing_given(raw) or (raw.listed("pci") and not _hidden(raw)) else None


def _displays(raw: Raw) -> Iterator[Mapping[str, Any]]:
    return (row for row in raw.rows("pci") if str(row.get("class", DISPLAY)).startswith(DISPLAY))


def _foreign(raw: Raw) -> bool:
    """Tell whether this is a Mac, which no CUDA serves."""
    words = (raw.text("platform", "system"), raw.text("os_release", "ID"))
    return any((word or "").lower() in {"darwin", "macos"} for word in words)


def _hidden(raw: Raw) -> bool:
    """Tell whether GPUs live off the bus here: on WSL and on a Jetson."""
    return (raw.text("platform", "kind") or "").startswith("wsl") or bool(raw.get("tegra"))


def _nothing_given(raw: Raw) -> bool:
    """Tell whether the nodes were looked at and none is NVIDIA's, WSL's or a Jetson's, and no libcuda opens."""
    nodes = [str(row.get("path")) for row in raw.rows("dev_nodes")]
    no_library = raw.has("cuda", "cuInit", "code") and raw.get("cuda", "cuInit", "code") is None
    return (
        raw.listed("dev_nodes")
        and no_library
        and not any(re.search(r"nvidia|dxg|nvhost|nvmap", node) for node in nodes)
    )
