"""NVML by ctypes: what the driver knows of a card's health."""

import ctypes
import os

from envforge_smoke import driver

UNCORRECTED, CORRECTED, VOLATILE, AGGREGATE = 1, 0, 0, 1
XID_EVENT = 8  # nvmlEventTypeXidCriticalError
REASONS = {0x4: "sw_power_cap", 0x8: "hw_slowdown", 0x20: "sw_thermal", 0x40: "hw_thermal", 0x80: "hw_power_brake"}
TO_A_SWITCH = 2  # NVML_NVLINK_DEVICE_TYPE_SWITCH


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
        return _by_uuid(bench, lib) or _by_bus(lib) or _only_one(lib)
    except (OSError, AttributeError):
        return None


def _by_uuid(bench, lib):
    uuid, handle = str(getattr(bench.properties, "uuid", "") or ""), ctypes.c_void_p()
    if not uuid:
        return None
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else "GPU-" + uuid
    code = lib.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
    return None if code else Card(lib, handle)


def _by_bus(lib):
    """The driver gives the address for every version of torch; of a MIG instance, the card that holds it."""
    address, handle = driver.bus_id(driver.load_libcuda()), ctypes.c_void_p()
    if not address or lib.nvmlDeviceGetHandleByPciBusId_v2(address, ctypes.byref(handle)):
        return None
    return Card(lib, handle)


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
    """NVLink by link; none on a card without. Links to a switch are all wired, those to other cards need not be."""
    states = {link: card.number("nvmlDeviceGetNvLinkState", link) for link in range(18)}
    up = [link for link, state in states.items() if state]
    return {
        "nvlink_up": up,
        "nvlink_down": [link for link, state in states.items() if state == 0],
        "nvlink_switch": any(card.number("nvmlDeviceGetNvLinkRemoteDeviceType", link) == TO_A_SWITCH for link in up),
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


def baseline(bench):
    """(watch, counters) at the start of a suite; None without NVML."""
    card = open_card(bench)
    return None if card is None else (XidWatch(card), counters(bench))
