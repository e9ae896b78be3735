"""PCI: is the card there, mapped, powered, and as fast as it can be?"""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

NOT_READY = 802
NO_ROOM = r"BAR [01]\b.{0,40}: (no space for|failed to assign)|can't assign; no space"
PROFILES = (
    r"prime_?select|supergfx|envycontrol|optimus|(gpu|power)_profile|graphics_mode|dgpu_disable|bbswitch|system76.power"
)
OFF = r"^(intel|integrated|igpu|off|eco|1|true)$|\bOFF$|alias nvidia off|Integrated"


@sign("gpu-not-on-pci-bus")
def no_card_for_the_driver(p: Chart) -> Evidence | None:
    """A laptop's card may be in a dock that is away, or taken off the bus by a profile."""
    if not r.bare_linux(p) or r.gpus_on_bus(p) or (p.maybe("nvml", "devices") and r.healthy_devices(p)):
        return None
    if p.maybe("env") is not None and (r.scheduler(p) or r.in_job(p)):
        return None
    reason = r.driver_expected(p)
    say = r.certain if not r.is_laptop(p) else r.likely if p.maybe("thunderbolt") == {} else r.possible
    return say("no 10de function of display class in /sys/bus/pci", reason, reason=reason) if reason else None


@sign("gpu-not-on-pci-bus")
def no_card_for_torch(p: Chart) -> Evidence | None:
    """Without a driver nobody promised a GPU: say it, and no more."""
    if not r.bare_linux(p) or r.gpus_on_bus(p) or r.scheduler(p) or not r.torch_cuda(p):
        return None
    line = p.said("Found no NVIDIA driver|No CUDA GPUs are available")
    return r.likely(line, severity="info", reason="torch is built for CUDA") if line else None


@sign("pci-bar-unassigned")
def bar_is_empty(p: Chart) -> Evidence | None:
    if r.serves(p):
        return None
    empty = [row for row in r.gpus_on_bus(p) if EMPTY.fullmatch(str(row.get("bar1", "unread")).strip())]
    return r.certain(f"BAR1 of {r.label(empty[0])}: {empty[0]['bar1']}", gpu=r.label(empty[0])) if empty else None


EMPTY = re.compile(r"0|0 ?[mg]i?b?|none|unassigned|(0x0+[ -]*)+|\[?disabled\]?|0M @ 0x0", re.IGNORECASE)


@sign("pci-bar-unassigned")
def kernel_found_no_room(p: Chart) -> Evidence | None:
    """Bridges without room are common; with a GPU that does not start they are the reason."""
    line = p.said(NO_ROOM) if p.maybe("dmesg") else None
    silent = bool(r.gpus_on_bus(p)) and not (p.maybe("nvml", "devices") and r.healthy_devices(p))
    return r.likely(line) if line and silent else None


@sign("pcie-link-degraded")
def slow_under_load(p: Chart) -> Evidence | None:
    """An idle link saves power: only a measurement under load counts."""
    for device in r.healthy_devices(p):
        link = device.get("pcie")
        if not isinstance(link, dict) or not r.yes(link.get("under_load")):
            continue
        now, best = (link.get("gen"), link.get("width")), (link.get("gen_max"), link.get("width_max"))
        if any(isinstance(a, int) and isinstance(b, int) and a < b for a, b in zip(now, best, strict=True)):
            speed = f"{link['h2d_gbs']} GB/s host to device" if "h2d_gbs" in link else ""
            words = [f"gen {gen} x{width}" for gen, width in (now, best)]
            return r.likely(f"{words[0]} of {words[1]}", speed, gpu=r.name_of(device), now=words[0], best=words[1])
    return None


@sign("dgpu-powered-off-by-profile")
def profile_says_off(p: Chart) -> Evidence | None:
    """A sleeping GPU with its module loaded is normal."""
    if "nvidia" in r.loaded_modules(p) or p.maybe("nvml", "init", "code") == 0:
        return None
    note = p.noted(PROFILES, like=OFF)
    line = next((row for row in _modprobe_lines(p) if re.search(r"alias nvidia\S* off", row)), None)
    tool = note or (line if r.is_laptop(p) else None)
    return r.likely(tool, line or "", profile=tool) if tool else None


def _modprobe_lines(p: Chart) -> list[str]:
    return [str(item) for path, item in p.leaves if path.startswith("modprobe_d")]


@sign("dgpu-powered-off-by-profile")
def laptop_card_without_power(p: Chart) -> Evidence | None:
    """Right after loading, a lost or unknown card of a laptop is one without power."""
    if not r.is_laptop(p) or "nvidia" in r.loaded_modules(p) or r.xid(p, 79):
        return None
    line = p.said(r"fallen off the bus|not supported by the\s+NVIDIA [\d.]+\s+driver release")
    return r.likely(line, profile="the card does not answer right after the module is loaded") if line else None


@sign("egpu-not-authorized")
def thunderbolt_waits(p: Chart) -> Evidence | None:
    waiting = [path for path, item in p.leaves if re.search(r"thunderbolt.*authori[sz]ed", path) and str(item) in NO]
    p.need("thunderbolt")
    if not waiting or (p.maybe("pci") and r.gpus_on_bus(p)):
        return None
    return r.likely(f"{waiting[0]}: 0", device=waiting[0].removeprefix("thunderbolt").strip(".[]"))


NO = {"0", "False", "no"}


@sign("nforce-nic-looks-like-nvswitch")
def bridge_of_an_old_mainboard(p: Chart) -> Evidence | None:
    old = [row for row in p.entries("pci") if r.is_nforce(p, row)]
    if r.cuinit(p) != NOT_READY or not old or r.nvlink_switches(p):
        return None
    return r.likely("cuInit 802", r.label(old[0]), device=r.label(old[0]))
