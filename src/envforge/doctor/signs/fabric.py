"""NVSwitch fabric and IMEX."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

NOT_READY = 802
UNFINISHED = {"NOT_STARTED", "IN_PROGRESS", "1", "2"}
SXM = re.compile(r"SXM|HGX|HBM3|B200|B300|GB[23]00")


def _service(p: Chart) -> str:
    found = p.maybe("services")
    rows = found.items() if isinstance(found, dict) else ()
    return next((str(item) for name, item in rows if "fabricmanager" in str(name).replace("-", "")), "not known")


def _state(p: Chart) -> str:
    state = p.maybe("fabric", "state")
    return str(state if state is not None else next(iter(_states(p)), "")).upper()


def _states(p: Chart) -> list[str]:
    found = [device.get("fabric") for device in p.maybe("nvml", "devices") or () if isinstance(device, dict)]
    return [str(item.get("state") if isinstance(item, dict) else item) for item in found if item]


def _ready(p: Chart) -> bool:
    """Tell whether confidential computing is not what CUDA waits for."""
    return not r.yes(p.maybe("conf_compute", "feature")) or r.yes(p.maybe("conf_compute", "gpus_ready"))


@sign("fabricmanager-not-running")
def switches_without_service(p: Chart) -> Evidence | None:
    service = _service(p)
    if r.cuinit(p) != NOT_READY or service in ("active", "running") or not _ready(p):
        return None
    switch = r.nvlink_switches(p)
    if not switch and (r.is_vm(p) or _state(p) == "NOT_SUPPORTED"):
        return None
    if not switch and len(r.devices(p)) > 1 and SXM.search(str(r.devices(p)[0].get("name"))):
        switch = f"{len(r.devices(p))} GPUs of an NVSwitch board"
    if not switch:
        return None
    return r.likely("cuInit 802", switch, f"nvidia-fabricmanager: {service}", switch=switch, state=service)


@sign("fabricmanager-version-mismatch")
def other_version(p: Chart) -> Evidence | None:
    driver = str(p.maybe("nvml", "driver_version") or r.loaded_version(p) or "")
    note = p.noted(r"fabric_?-?manager", like=r"\d{3}\.\d+")
    match = re.search(r"\d{3}\.\d+(\.\d+)?", note.split(" = ")[-1]) if note else None
    waits = p.maybe("cuda", "cuInit", "code") == NOT_READY
    if waits and match and driver and match[0] != driver:
        return r.certain(note, f"driver {driver}", service=match[0], driver=driver)
    p.need("services")
    return None


@sign("fabric-state-incomplete")
def registration_not_finished(p: Chart) -> Evidence | None:
    state = _state(p)
    if r.cuinit(p) != NOT_READY or state not in UNFINISHED or not _ready(p) or r.nvlink_switches(p):
        return None
    return r.likely("cuInit 802", f"fabric state {state}", state=state)


@sign("imex-channel-missing")
def channel_is_absent(p: Chart) -> Evidence | None:
    line = p.said(r"CUDA_ERROR_NOT_PERMITTED|CUDA error 401|cuMem(Create|ImportFromShareableHandle)|NVLS")
    note = p.noted(r"imex", like="absent|inactive|missing|not-found|failed")
    p.need("services") if note is None and line is None else None
    return r.likely(line, note or "") if line and note else None
