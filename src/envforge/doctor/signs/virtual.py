"""MIG, vGPU, confidential computing, passthrough."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

BUSY, NOT_LICENSED, NOT_SUPPORTED, NO_PERMISSION = 46, 102, 801, 4
UNLICENSED = re.compile("unlicensed|^0$|^False$", re.IGNORECASE)


@sign("mig-enabled-no-instances")
def mode_without_instances(p: Chart) -> Evidence | None:
    empty = [device for device in r.devices(p) if r.mig_on(device) and r.mig_instances(device) == []]
    if not empty:
        return None
    severity = "advisory" if r.serves(p) else None
    return r.certain(f"GPU {r.name_of(empty[0])}: MIG on, no instances", gpu=r.name_of(empty[0]), severity=severity)


@sign("mig-one-instance-per-process")
def several_instances_wanted(p: Chart) -> Evidence | None:
    count = sum(len(r.mig_instances(device) or ()) for device in r.devices(p) if r.mig_on(device))
    line = p.heard(r"invalid device ordinal|device >= 0 && device < num_gpus")
    ranks = str(p.maybe("env", "WORLD_SIZE") or "1")
    several = (p.maybe("env", "CUDA_VISIBLE_DEVICES") or "").count("MIG-") > 1
    if count < 2 or not (line or several or (ranks.isdigit() and int(ranks) > 1)):
        return None
    return r.certain(line or f"{count} instances, WORLD_SIZE {ranks}", count=count)


@sign("torch-nvml-count-mig-bug")
def counts_by_nvml(p: Chart) -> Evidence | None:
    version = r.torch_version(p)
    old = version and any(str(version.base_version).startswith(each) for each in p.known["nvml_count_releases"])
    named = "-" in (r.env(p, "CUDA_VISIBLE_DEVICES") or "").lstrip("-")
    if not old or not named or p.maybe("env_probe", "device_count") != 0:
        return None
    works = r.kernel_ran(p) or (p.maybe("cuda", "device_count") or 0) > 0
    return r.likely(f"torch {version}, device_count 0", r.env(p, "CUDA_VISIBLE_DEVICES")) if works else None


@sign("mig-caps-not-accessible")
def caps_closed(p: Chart) -> Evidence | None:
    """The first two nodes configure and watch MIG; they are root's on purpose."""
    on = p.maybe("nvml", "devices") and any(r.mig_on(device) for device in r.devices(p))
    if not on and r.nvml_code(p) != NO_PERMISSION:
        return None
    for path, node in r.nodes(p).items():
        if re.search(r"nvidia-cap(?!s)(?![12]$)", path) and node.get("open") != "ok":
            return r.likely(f"{path}: {node.get('open')}", node=path, errno=node.get("open"))
    return None


def _vgpu(device: r.Device) -> bool:
    return "VGPU" in str(device.get("virtualization")).upper() or str(device.get("name")).startswith(
        ("GRID", "NVIDIA GRID")
    )


@sign("vgpu-unlicensed")
def licence_status(p: Chart) -> Evidence | None:
    for device in r.healthy_devices(p):
        status = [str(item) for _, item in r.parts_of(device, "licen") if UNLICENSED.search(str(item))]
        if status:
            code = r.ctx_create(p)
            say = r.certain if code in (BUSY, NOT_LICENSED) else r.likely
            mild = "advisory" if "Unrestricted" in status[0] and not code else None
            words = {"gpu": r.name_of(device), "licence": status[0]}
            line = f"cuCtxCreate {code}" if code else ""
            return say(f"GPU {r.name_of(device)}: {status[0]}", line, severity=mild, **words)
    return None


@sign("vgpu-feature-unavailable")
def unified_memory_refused(p: Chart) -> Evidence | None:
    if not any(_vgpu(device) for device in r.devices(p)):
        return None
    line = r.cuda_code(p, NOT_SUPPORTED) or p.said(r"operation not supported|CUDA_?Error_?Not_?Supported|\b801\b")
    return r.likely(line) if line else None


@sign("vgpu-guest-host-mismatch")
def guest_without_device(p: Chart) -> Evidence | None:
    line = p.said(r"vGPU.{0,120}(mismatch|incompatible|not compatible|not supported)")
    return r.likely(line) if line else None


@sign("cc-gpu-not-ready")
def not_released(p: Chart) -> Evidence | None:
    on, ready = p.need("conf_compute", "feature"), p.need("conf_compute", "gpus_ready")
    if not r.yes(on) or r.yes(ready) or p.maybe("cuda", "cuInit", "code") == 0:
        return None
    return r.certain(f"feature {on}, ready {ready}", f"cuInit {p.maybe('cuda', 'cuInit', 'code')}")


CONFIDENTIAL_GUEST = r"sev|snp|tdx|confidential"
CONFIDENTIAL_START = r"\bkfsp\w+|\(0x62:0x65:1784\)|\bconfidential comput\w+"


@sign("cc-mode-on-bare-host")
def mode_outside_a_guest(p: Chart) -> Evidence | None:
    guest = re.search(CONFIDENTIAL_GUEST, f"{p.maybe('platform', 'virt')} {p.maybe('cpu', 'flags')}".lower())
    if guest or (p.maybe("nvml", "devices") and r.healthy_devices(p)):
        return None
    on = r.yes(p.maybe("conf_compute", "feature")) or p.noted(r"cc_?mode", like="on|devtools")
    line = p.said(CONFIDENTIAL_START) if p.maybe("dmesg") else None
    if on:
        return r.certain(f"confidential mode on, {p.maybe('platform', 'kind')}", line or "")
    return r.likely(line) if line else None


@sign("cc-mode-on-bare-host")
def conf_compute_was_asked(p: Chart) -> Evidence | None:
    p.need("conf_compute")
    return None


@sign("vm-passthrough-hidden-or-broken")
def card_does_not_start(p: Chart) -> Evidence | None:
    if not r.is_vm(p) or not r.gpus_on_bus(p) or (p.maybe("nvml", "devices") and r.healthy_devices(p)):
        return None
    line = p.said("RmInitAdapter failed|BAR1 is 0M|Code 43") if p.maybe("dmesg") else None
    silent = p.maybe("nvml", "init", "code") == 0 and r.bound(p) and p.maybe("nvml", "devices") == []
    if not line and not silent:
        return None
    return r.possible(line or "NVML lists no device", p.maybe("platform", "virt"), gpu=r.label(r.gpus_on_bus(p)[0]))
