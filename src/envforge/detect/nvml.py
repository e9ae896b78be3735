"""NVML, asked in a child: it can hang, abort, and must not be initialised in a process that forks later."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
NOT_FOUND = 12
FABRIC = {1: "NOT_STARTED", 2: "IN_PROGRESS", 3: "COMPLETED"}
Send = Callable[[Any], None]


def ask_nvml(send: Send) -> None:
    """Send what NVML says, in pieces, so that a hang still leaves what came before it.

    Pieces are mappings to merge; a piece with ``index`` belongs to one device. An optional getter that fails leaves
    its key out; NOT_SUPPORTED is an answer, not a fault.
    """
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        send({"init": {"code": NOT_FOUND, "name": "LIBRARY_NOT_FOUND"}, "loader": str(error)})
        return
    import pynvml as nvml

    code = _code(nvml, nvml.nvmlInit)
    send({"init": {"code": code, "name": _name(nvml, code)}})
    if code == 0:
        _tell_all(nvml, send)


def _tell_all(nvml: Any, send: Send) -> None:
    send(_given({"driver_version": _ask(nvml, "nvmlSystemGetDriverVersion")}))
    if cuda := _ask(nvml, "nvmlSystemGetCudaDriverVersion_v2"):
        send({"cuda_version": f"{cuda // 1000}.{cuda % 1000 // 10}"})
    send({"conf_compute": _confidential(nvml)})
    count = _ask(nvml, "nvmlDeviceGetCount")
    if count is None:
        return
    send({"devices": []})
    handles = [_device(nvml, index, send) for index in range(count)]
    for index, handle in enumerate(handles):
        if handle is not None:
            send({"index": index, **_given(dict(_state(nvml, handle)))})


def _confidential(nvml: Any) -> dict[str, Any] | None:
    """Say whether confidential computing is on, and whether its GPUs take work; None where there is no such thing."""
    state = _ask(nvml, "nvmlSystemGetConfComputeState")
    if state is None:
        return None
    ready = _ask(nvml, "nvmlSystemGetConfComputeGpusReadyState")
    words = "DEVTOOLS" if state.devToolsMode else "ON" if state.ccFeature else "OFF"
    return {"feature": words} | ({} if ready is None else {"gpus_ready": bool(ready)})


def _device(nvml: Any, index: int, send: Send) -> Any:
    """Send who a device is; give its handle, None when NVML has none."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        send({"index": index, "error": error.value})
        return None
    memory = _ask(nvml, "nvmlDeviceGetMemoryInfo", handle)
    bus = _ask(nvml, "nvmlDeviceGetPciInfo", handle)
    capability = _ask(nvml, "nvmlDeviceGetCudaComputeCapability", handle)
    identity = {
        "name": _ask(nvml, "nvmlDeviceGetName", handle),
        "uuid": _ask(nvml, "nvmlDeviceGetUUID", handle),
        "cc": capability and "{}.{}".format(*capability),
        "memory_mib": memory and memory.total >> 20,
        "memory_bytes": memory and memory.total,
        "memory_used_mib": memory and memory.used >> 20,
        "bdf": bus and _text(bus.busId),
        "pci": bus and f"{bus.pciDeviceId & 0xFFFF:04x}:{bus.pciDeviceId >> 16:04x}",
    }
    send({"index": index, **_given(identity)})
    return handle


def _state(nvml: Any, handle: Any) -> Iterator[tuple[str, Any]]:
    modes = {0: "DEFAULT", 1: "EXCLUSIVE_THREAD", 2: "PROHIBITED", 3: "EXCLUSIVE_PROCESS"}
    yield "compute_mode", modes.get(_ask(nvml, "nvmlDeviceGetComputeMode", handle, default=-1))
    yield "mig", _mig(nvml, handle)
    yield "ecc", _ecc(nvml, handle)
    yield "pcie", _pcie(nvml, handle)
    yield (
        "virtualization",
        {0: None, 1: "PASSTHROUGH", 2: "VGPU", 3: "HOST_VGPU", 4: "HOST_VSGA"}.get(
            _ask(nvml, "nvmlDeviceGetVirtualizationMode", handle, default=0)
        ),
    )
    yield "persistence_mode", _ask(nvml, "nvmlDeviceGetPersistenceMode", handle)
    yield "fabric", _fabric(nvml, handle)
    yield "license", _license(nvml, handle)
    reasons = _ask(nvml, "nvmlDeviceGetCurrentClocksEventReasons", handle)
    yield "clocks_event_reasons", None if reasons is None else f"{reasons:#x}"
    state = _ask(nvml, "nvmlDeviceGetPowerState", handle)
    yield "pstate", None if state is None else f"P{state}"
    rates = _ask(nvml, "nvmlDeviceGetUtilizationRates", handle)
    yield "utilization", rates and rates.gpu
    yield "processes", _holders(nvml, handle)


def _mig(nvml: Any, handle: Any) -> dict[str, Any] | None:
    mode = _ask(nvml, "nvmlDeviceGetMigMode", handle)
    if mode is None:
        return None
    current, pending = mode
    count = _ask(nvml, "nvmlDeviceGetMaxMigDeviceCount", handle, default=0) if current else 0
    slices = (_ask(nvml, "nvmlDeviceGetMigDeviceHandleByIndex", handle, index) for index in range(count))
    names = [_ask(nvml, "nvmlDeviceGetName", each) for each in slices if each is not None]
    return {"current": current, "pending": pending, "instances": [name for name in names if name]}


def _ecc(nvml: Any, handle: Any) -> dict[str, Any] | None:
    uncorrected = _ask(nvml, "nvmlDeviceGetTotalEccErrors", handle, 1, 0)
    pending = _ask(nvml, "nvmlDeviceGetRetiredPagesPendingStatus", handle)
    rows = _ask(nvml, "nvmlDeviceGetRemappedRows", handle)
    found = {
        "volatile_uncorrected": uncorrected,
        "retired_pages_pending": None if pending is None else bool(pending),
        "remap_pending": rows and bool(rows[2]),
        "remap_failed": rows and bool(rows[3]),
    }
    return _given(found) or None


def _pcie(nvml: Any, handle: Any) -> dict[str, Any] | None:
    getters = {
        "gen": "nvmlDeviceGetCurrPcieLinkGeneration",
        "gen_max": "nvmlDeviceGetMaxPcieLinkGeneration",
        "width": "nvmlDeviceGetCurrPcieLinkWidth",
        "width_max": "nvmlDeviceGetMaxPcieLinkWidth",
    }
    return _given({key: _ask(nvml, getter, handle) for key, getter in getters.items()}) or None


def _fabric(nvml: Any, handle: Any) -> dict[str, Any] | None:
    """Say how far a card of an NVSwitch board is registered with its fabric; None for any other card."""
    try:
        info = nvml.c_nvmlGpuFabricInfo_v2_t()
        info.version = nvml.nvmlGpuFabricInfo_v2
        nvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
    except Exception:
        return None
    state = FABRIC.get(info.state)
    return None if state is None else {"state": state, "status": info.status}


def _license(nvml: Any, handle: Any) -> str | None:
    """Say whether a virtual GPU has its licence; None for a card that needs none."""
    told = _ask(nvml, "nvmlDeviceGetGridLicensableFeatures")
    if told is None or not told.isGridLicenseSupported:
        return None
    rows = list(told.gridLicensableFeatures)[: told.licensableFeaturesCount]
    states = [bool(row.featureState) for row in rows if row.featureEnabled]
    return ("Licensed" if any(states) else "Unlicensed") if states else None


def _holders(nvml: Any, handle: Any) -> list[dict[str, Any]] | None:
    """Say which processes hold memory; one that is not in ``/proc`` lives in another PID namespace, or is a ghost."""
    getters = ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2")
    answers = (_ask(nvml, getter, handle) for getter in getters)
    running = next((answer for answer in answers if answer is not None), None)
    if running is None:
        return None
    return [
        _given({"pid": each.pid, "memory_mib": each.usedGpuMemory and each.usedGpuMemory >> 20})
        | {"in_proc": Path(f"/proc/{each.pid}").exists()}
        for each in running
    ]


def _ask(nvml: Any, getter: str, *arguments: Any, default: Any = None) -> Any:
    """Call one getter; the default when this NVML or this device does not answer it.

    Besides NVMLError the bindings raise errors of their own where the driver is older than they are.
    """
    try:
        return _text(getattr(nvml, getter)(*arguments))
    except Exception:
        return default


def _text(item: Any) -> Any:
    """Old bindings give bytes where new ones give text."""
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else item


def _given(found: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in found.items() if item is not None}


def _code(nvml: Any, call: Callable[[], None]) -> int:
    try:
        call()
    except nvml.NVMLError as error:
        return int(error.value)
    return 0


def _name(nvml: Any, code: int) -> str:
    names = {item: name for name, item in vars(nvml).items() if re.fullmatch(r"NVML_(SUCCESS|ERROR_\w+)", name)}
    return re.sub(r"^NVML_(ERROR_)?", "", str(names.get(code, "UNKNOWN")))


def join_nvml(pieces: tuple[Any, ...]) -> dict[str, Any] | None:
    """Put the pieces that a child sent together; None when there was none."""
    whole: dict[str, Any] = {}
    devices: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        if "conf_compute" in piece:
            continue
        if "index" in piece:
            devices.setdefault(piece["index"], {}).update(piece)
        else:
            whole |= piece
    if "devices" in whole:
        whole["devices"] = [devices[index] for index in sorted(devices)]
    return whole or None


def join_conf_compute(pieces: tuple[Any, ...]) -> dict[str, Any] | None:
    """Give what was said of confidential computing; None where there is none, or nobody could be asked."""
    return next((piece["conf_compute"] for piece in pieces if "conf_compute" in piece), None)
