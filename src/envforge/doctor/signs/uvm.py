"""Unified memory: the device without which NVML works and CUDA does not."""

from __future__ import annotations

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

UVM = "/dev/nvidia-uvm"
NOT_INITIALIZED, OPERATING_SYSTEM, UNKNOWN = 3, 304, 999


def _nvml_works(p: Chart) -> bool:
    if r.is_wsl(p) or r.is_windows(p) or r.is_tegra(p) or r.nvml_code(p) != 0:
        return False
    return not any(device.get("error") for device in p.maybe("nvml", "devices") or () if isinstance(device, dict))


@sign("uvm-device-missing")
def node_is_absent(p: Chart) -> Evidence | None:
    here = r.nodes(p)
    node = here[UVM].get("open", "not tried") if UVM in here else "ENOENT"
    if not _nvml_works(p) or "/dev/nvidiactl" not in here or node not in ("ENOENT", "ENXIO", "ENODEV"):
        return None
    if r.cuinit(p) not in (UNKNOWN, OPERATING_SYSTEM):
        return None
    devices = p.maybe("proc_devices")
    unloaded = "nvidia-uvm is not in /proc/devices" if devices and "nvidia-uvm" not in str(devices) else ""
    say = r.certain if unloaded else r.likely
    return say(f"{UVM}: {node}", f"cuInit {r.cuinit(p)}", unloaded, code=f" (cuInit {r.cuinit(p)})")


@sign("uvm-stale-after-suspend")
def suspended_since(p: Chart) -> Evidence | None:
    opens = r.nodes(p).get(UVM, {}).get("open") == "ok"
    if not _nvml_works(p) or r.cuinit(p) != UNKNOWN or not opens:
        return None
    note = p.noted(r"^power\.(last_resume|suspend|resume)\w*")
    line = p.said("PM: suspend (entry|exit)|PM: resume") if p.maybe("dmesg") else None
    return r.likely(f"cuInit 999, {UVM} opens", note or "", line or "") if note or line else None


@sign("uvm-hmm-cuinit-3")
def not_initialised_with_hmm(p: Chart) -> Evidence | None:
    if not _nvml_works(p) or r.cuinit(p) != NOT_INITIALIZED or r.flavour(p) != "open":
        return None
    if p.maybe("env") and r.env(p, "CUDA_MPS_PIPE_DIRECTORY"):
        return None
    off = r.module_params(p, "uvm_disable_hmm") if p.maybe("module_params") is not None else None
    if off in ("Y", "1", "True"):
        return None
    say = r.likely if off else r.possible
    return say("cuInit 3 in a fresh process, open flavour", f"uvm_disable_hmm: {off or 'not read'}")
