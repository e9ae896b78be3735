"""The device itself is lost, worn or slow."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

LOST, RESET, UNKNOWN, ECC = 15, 16, 999, 214
OTHER_COUNTERS = re.compile("aggregate|remap|retire")
IDLE = {"P8", "P12"}


def _gone(p: Chart, device: r.Device) -> Evidence:
    code, devices = device["error"], r.devices(p)
    answer = f"NVML {code} {p.known.name_of('nvml', code)}"
    return r.certain(
        f"GPU {r.name_of(device)}: {answer}",
        gpu=r.name_of(device),
        answer=answer,
        others=len(r.healthy_devices(p)),
        total=len(devices),
    )


@sign("gpu-fallen-off-bus")
def nvml_says_lost(p: Chart) -> Evidence | None:
    lost = [device for device in r.devices(p) if device.get("error") == LOST]
    closed = p.maybe("dev_nodes") and (r.refused(p, "EPERM") or r.refused(p, "EACCES"))
    odd = [each for each in r.devices(p) if each.get("error") == UNKNOWN and r.healthy_devices(p) and not closed]
    return _gone(p, (lost + odd)[0]) if lost or odd else None


@sign("gpu-fallen-off-bus")
def fewer_than_on_the_bus(p: Chart) -> Evidence | None:
    """Containers and jobs see a part of the host's cards: no fault there."""
    if not r.bare_linux(p) or r.in_job(p) or r.nvml_code(p) != 0:
        return None
    here, listed = r.bound(p), len(r.devices(p))
    if not listed or len(here) <= listed or r.nvml_hangs(p) or p.noted(r"exclud|drain"):
        return None
    return r.possible(f"{len(here)} GPUs are bound to nvidia, NVML lists {listed}")


@sign("gpu-fallen-off-bus")
def silent_when_the_driver_loads(p: Chart) -> Evidence | None:
    """The same words on a laptop mean a card without power, until an Xid says otherwise."""
    if not p.maybe("dmesg") or r.is_laptop(p):
        return None
    line = p.said(r"fallen off the bus and is not responding", "dmesg")
    return r.likely(line) if line else None


@sign("gpu-fallen-off-bus")
def handle_refused(p: Chart) -> Evidence | None:
    """Closed nodes refuse handles too."""
    if p.maybe("dev_nodes") and (r.refused(p, "EPERM") or r.refused(p, "EACCES")):
        return None
    line = p.said(r"Unable to determine the device handle for (GPU|gpu) ?[\da-f:.]+: (Unknown Error|GPU is lost)")
    unseen = r.in_container(p) and p.maybe("dev_nodes") is None if p.maybe("platform") else False
    return (r.possible if unseen else r.likely)(line) if line else None


@sign("gpu-fallen-off-bus")
def config_space_is_gone(p: Chart) -> Evidence | None:
    dead = [row for row in r.gpus_on_bus(p) if str(row.get("config", "")).lower().replace("0x", "").startswith("ffff")]
    return r.certain(f"PCI config of {r.label(dead[0])} reads 0xff", gpu=r.label(dead[0])) if dead else None


@sign("gsp-firmware-timeout")
def gsp_xid(p: Chart) -> Evidence | None:
    line = r.xid(p, 119, 120)
    return r.certain(line, r.nvml_hangs(p) or "") if line else None


@sign("gpu-ecc-uncorrectable")
def uncorrected_counter(p: Chart) -> Evidence | None:
    for device in r.healthy_devices(p):
        for path, count in r.parts_of(device, "uncorrect"):
            if not OTHER_COUNTERS.search(path) and isinstance(count, int) and count > 0:
                return r.certain(f"GPU {r.name_of(device)} {path}: {count}", gpu=r.name_of(device), count=count)
    return None


@sign("gpu-ecc-uncorrectable")
def ecc_code(p: Chart) -> Evidence | None:
    line = r.cuda_code(p, ECC) or r.xid(p, 48, 94, 95)
    return r.certain(line) if line else None


@sign("row-remap-pending")
def repair_waits(p: Chart) -> Evidence | None:
    for device in r.devices(p):
        for path, item in r.parts_of(device, "pending"):
            if ("remap" in path or "retire" in path) and r.yes(item):
                return r.certain(f"GPU {r.name_of(device)} {path}: {item}", gpu=r.name_of(device))
    return None


@sign("row-remap-failure")
def repair_failed(p: Chart) -> Evidence | None:
    for device in r.devices(p):
        for path, item in r.parts_of(device, "remap") + r.parts_of(device, "failure"):
            if "fail" in path and r.yes(item):
                return r.certain(f"GPU {r.name_of(device)} {path}: {item}", gpu=r.name_of(device))
    return None


@sign("gpu-throttled")
def slowed_down(p: Chart) -> Evidence | None:
    for device in r.healthy_devices(p):
        mask, why = _mask(device), p.known["throttle_bits"]
        reasons = [name for bit, name in why.items() if mask & int(bit)] or _named(device)
        if reasons and device.get("pstate") not in IDLE:
            reason = " and ".join(reasons)
            return r.likely(f"GPU {r.name_of(device)}: {reason}", gpu=r.name_of(device), reason=reason)
    return None


def _named(device: r.Device) -> list[str]:
    """Read reasons that are told by name, as a list or with an answer each."""
    rows = [(path, item) for path, item in r.parts_of(device) if HARDWARE.search(f"{path} {item}")]
    return [
        str(item) if HARDWARE.search(str(item)) else path for path, item in rows if r.yes(item) or "HW" in str(item)
    ]


HARDWARE = re.compile(r"hw[_ ]?(slowdown|thermal|power[_ ]?brake)", re.IGNORECASE)


def _mask(device: r.Device) -> int:
    for key in ("clocks_event_reasons", "throttle_reasons", "clocks_throttle_reasons"):
        try:
            return int(str(device.get(key, "0")), 0)
        except ValueError:
            continue
    return 0


@sign("gpu-throttled")
def power_limit_lowered(p: Chart) -> Evidence | None:
    for device in r.healthy_devices(p):
        given = [float(item) for path, item in r.parts_of(device, "limit", "enforced") if _is_number(item)]
        usual = [float(item) for path, item in r.parts_of(device, "limit", "default") if _is_number(item)]
        if given and usual and given[0] < 0.75 * usual[0]:
            reason = f"the power limit is {given[0]:.0f} W, by default {usual[0]:.0f} W"
            return r.likely(reason, gpu=r.name_of(device), reason=reason, severity="advisory")
    return None


def _is_number(item: object) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)


@sign("gpu-requires-reset")
def nvml_wants_reset(p: Chart) -> Evidence | None:
    waiting = [device for device in r.devices(p) if device.get("error") == RESET]
    return _gone(p, waiting[0]) if waiting else None


@sign("cpu-lacks-avx")
def flags_and_crash(p: Chart) -> Evidence | None:
    """Flags alone are no complaint: a build without AVX may be in use."""
    flags = {flag for row in p.words("cpu", "flags") for flag in row.lower().split()}
    missing = [flag for flag in ("avx", "avx2", "fma") if flag not in flags]
    crashed = p.said(r"SIGILL|Illegal instruction|returncode -4\b|exit(ed)? -4\b")
    if not missing or not crashed or "aarch64" in str(p.maybe("platform", "arch")):
        return None
    return r.certain(crashed, cpu=p.maybe("cpu", "model") or "CPU", missing=", ".join(missing))
