"""NVML by ctypes: what the driver knows of a card's health. Pure judgement stands apart from reading."""

import ctypes
import os
import time

from envforge_smoke.outcomes import Failed, Noted, Skipped

UNCORRECTED, CORRECTED, VOLATILE, AGGREGATE = 1, 0, 0, 1
XID_EVENT = 8  # nvmlEventTypeXidCriticalError
REASONS = {0x4: "sw_power_cap", 0x8: "hw_slowdown", 0x20: "sw_thermal", 0x40: "hw_thermal", 0x80: "hw_power_brake"}
HARD = ("hw_slowdown", "hw_thermal", "hw_power_brake")


class Card(object):
    """One device's handle."""

    def __init__(self, lib, handle):
        self.lib, self.handle = lib, handle

    def number(self, name, *words, **options):
        """An unsigned answer, None when NVML does not give one."""
        out = options.get("kind", ctypes.c_uint)()
        try:
            code = getattr(self.lib, name)(self.handle, *words, ctypes.byref(out))
        except AttributeError:
            return None
        return out.value if code == 0 else None

    def ecc(self, corrected, since):
        """A total of ECC errors."""
        return self.number("nvmlDeviceGetTotalEccErrors", corrected, since, kind=ctypes.c_ulonglong)


def open_card(bench):
    """The card under test: by UUID, then by bus address, then as the only one; None without NVML."""
    if bench.kind != "cuda" or bench.hip:
        return None
    try:
        lib = ctypes.CDLL("nvml.dll" if os.name == "nt" else "libnvidia-ml.so.1")
        if lib.nvmlInit_v2() != 0:
            return None
        return _by_uuid(bench, lib) or _by_bus(bench, lib) or _only_one(lib)
    except (OSError, AttributeError):
        return None


def _by_uuid(bench, lib):
    uuid, handle = str(getattr(bench.properties, "uuid", "") or ""), ctypes.c_void_p()
    if not uuid:
        return None
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else "GPU-" + uuid
    code = lib.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
    return None if code else Card(lib, handle)


def _by_bus(bench, lib):
    card, handle = bench.properties, ctypes.c_void_p()
    if getattr(card, "pci_bus_id", None) is None:
        return None
    place = (getattr(card, "pci_domain_id", 0), card.pci_bus_id, getattr(card, "pci_device_id", 0))
    code = lib.nvmlDeviceGetHandleByPciBusId_v2(("%08x:%02x:%02x.0" % place).encode(), ctypes.byref(handle))
    return None if code else Card(lib, handle)


def _only_one(lib):
    count, handle = ctypes.c_uint(), ctypes.c_void_p()
    if lib.nvmlDeviceGetCount_v2(ctypes.byref(count)) or count.value != 1:
        return None
    return None if lib.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) else Card(lib, handle)


def counters(bench):
    """Everything that counts up or says how the card is; empty without NVML."""
    card = open_card(bench)
    if card is None:
        return {}
    found = {
        "ecc_uncorrected": card.ecc(UNCORRECTED, VOLATILE),
        "ecc_corrected": card.ecc(CORRECTED, VOLATILE),
        "ecc_uncorrected_lifetime": card.ecc(UNCORRECTED, AGGREGATE),
        "retired_pending": card.number("nvmlDeviceGetRetiredPagesPendingStatus"),
        "pcie_replays": card.number("nvmlDeviceGetPcieReplayCounter"),
        "temperature_c": card.number("nvmlDeviceGetTemperature", 0),
        "power_mw": card.number("nvmlDeviceGetPowerUsage"),
        "power_limit_mw": card.number("nvmlDeviceGetEnforcedPowerLimit"),
        "sm_mhz": card.number("nvmlDeviceGetClockInfo", 1),
        "sm_max_mhz": card.number("nvmlDeviceGetMaxClockInfo", 1),
    }
    found.update(_remapped(card))
    found.update(_links(card))
    return found


def _remapped(card):
    values = [ctypes.c_uint() for _ in range(4)]
    try:
        code = card.lib.nvmlDeviceGetRemappedRows(card.handle, *[ctypes.byref(value) for value in values])
    except AttributeError:
        return {}
    names = ("remap_corrected", "remap_uncorrected", "remap_pending", "remap_failed")
    return {} if code else dict(zip(names, [value.value for value in values]))


def _links(card):
    """NVLink by link; a card without NVLink answers none."""
    states = {link: card.number("nvmlDeviceGetNvLinkState", link) for link in range(18)}
    return {
        "nvlink_up": [link for link, state in states.items() if state],
        "nvlink_down": [link for link, state in states.items() if state == 0],
    }


def throttle_reasons(card):
    """The names of what slows the clocks now."""
    kind = ctypes.c_ulonglong
    bits = card.number("nvmlDeviceGetCurrentClocksEventReasons", kind=kind)
    if bits is None:
        bits = card.number("nvmlDeviceGetCurrentClocksThrottleReasons", kind=kind)
    return sorted(name for bit, name in REASONS.items() if bits and bits & bit)


def link(bench):
    """The PCIe link, the most it can do and what it does now; None without NVML."""
    card = open_card(bench)
    if card is None:
        return None
    return {
        "max_generation": card.number("nvmlDeviceGetMaxPcieLinkGeneration"),
        "max_width": card.number("nvmlDeviceGetMaxPcieLinkWidth"),
        "generation": card.number("nvmlDeviceGetCurrPcieLinkGeneration"),
        "width": card.number("nvmlDeviceGetCurrPcieLinkWidth"),
    }


class XidWatch(object):
    """Collects Xid errors from its making on; quiet where NVML does not offer events."""

    def __init__(self, card):
        self.card, self.events = card, ctypes.c_void_p()
        try:
            made = card.lib.nvmlEventSetCreate(ctypes.byref(self.events)) == 0
            code = card.lib.nvmlDeviceRegisterEvents(card.handle, ctypes.c_ulonglong(XID_EVENT), self.events)
            self.watching = made and code == 0
        except AttributeError:
            self.watching = False

    def seen(self):
        """The Xid numbers since the start; None when nobody watched."""
        if not self.watching:
            return None

        class Event(ctypes.Structure):
            _fields_ = [
                ("device", ctypes.c_void_p),
                ("kind", ctypes.c_ulonglong),
                ("number", ctypes.c_ulonglong),
                ("gpu_instance", ctypes.c_uint),
                ("compute_instance", ctypes.c_uint),
            ]

        event, found = Event(), []
        while len(found) < 16 and self.card.lib.nvmlEventSetWait_v2(self.events, ctypes.byref(event), 0) == 0:
            found.append(event.number)
        return found


def faults(now, before):
    """(code, sentence) of everything that is wrong; pure. ``before`` are the same counters when the suite began."""
    for name, code, text in (
        ("ecc_uncorrected", "E_ECC", "%d memory errors that ECC could not correct, since the driver was loaded"),
        ("remap_failed", "E_REMAP", "a memory row could not be remapped (%d)"),
        ("remap_pending", "E_REMAP_PENDING", "memory rows wait for a reset of the GPU (%d)"),
        ("retired_pending", "E_REMAP_PENDING", "memory pages wait for a reboot (%d)"),
    ):
        if now.get(name):
            yield code, text % now[name]
    for reason in now.get("throttle") or []:
        if reason in HARD:
            yield "E_THROTTLE", "the clocks are held down: %s" % reason
    if now.get("xid"):
        yield "E_XID", "the driver reported Xid %s while the checks ran" % ", ".join(str(each) for each in now["xid"])
    if now.get("nvlink_up") and now.get("nvlink_down"):
        yield "E_NVLINK", "NVLink is down on %s" % ", ".join(str(each) for each in now["nvlink_down"])
    grown = (now.get("ecc_uncorrected_lifetime") or 0) - (before.get("ecc_uncorrected_lifetime") or 0)
    if before and grown > 0 and not now.get("ecc_uncorrected"):
        yield "E_ECC", "%d new memory errors while the checks ran" % grown


def notes(now, before, settings):
    """(code, sentence) of what is worth knowing; pure."""
    if "sw_thermal" in (now.get("throttle") or []):
        yield "W_THROTTLE", "the driver slows the clocks for heat"
    if (now.get("ecc_corrected") or 0) > settings.get("corrected", float("inf")):
        yield "W_ECC", "%d memory errors were corrected" % now["ecc_corrected"]
    replays = (now.get("pcie_replays") or 0) - (before.get("pcie_replays") or 0)
    if before and replays > settings.get("replays", float("inf")):
        yield "W_PCIE_REPLAYS", "%d PCIe replays while the checks ran" % replays


def hold(before, now, measured):
    """Raise Failed with every fault."""
    found = list(faults(now, before))
    if found:
        raise Failed(found[0][0], "; ".join(text for _, text in found), measured)


def telemetry(bench):
    """What the driver says while products run (ECC, rows, Xid, clocks, NVLink), and what changed since the start."""
    card = open_card(bench)
    if card is None:
        raise Skipped("S_NO_NVML", "NVML has no handle for this device")
    watch, before = bench.baseline or (None, {})
    reasons, now = _under_load(bench, card)
    now["throttle"], now["xid"] = reasons, watch.seen() if watch else None
    measured = dict(now, before=before)
    hold(before, now, measured)
    found = list(notes(now, before, bench.settings))
    if found:
        raise Noted(found[0][0], "; ".join(text for _, text in found), measured)
    return measured


def _under_load(bench, card):
    """(throttle reasons, counters), read while products still run, after the card has had time to warm its clocks."""
    torch, n = bench.torch, bench.matrix_size(2)
    load = torch.randn(n, n, device=bench.device).to(torch.float16)
    until = time.perf_counter() + bench.settings["seconds"]
    while time.perf_counter() < until:
        bench.sync()
        for _ in range(8):
            torch.mm(load, load)
    reasons, now = throttle_reasons(card), counters(bench)
    bench.sync()
    return reasons, now


def baseline(bench):
    """(watch, counters) at the start of a suite; None without NVML."""
    card = open_card(bench)
    return None if card is None else (XidWatch(card), counters(bench))
