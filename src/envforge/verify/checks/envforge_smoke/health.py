"""A card's health: what its driver says before, under load and after. Judgement is pure, apart from reading."""

import time

from envforge_smoke import nvml
from envforge_smoke.outcomes import Failed, Noted, Skipped

HARD = ("hw_slowdown", "hw_thermal", "hw_power_brake")
COUNTS = (
    ("ecc_uncorrected", "E_ECC", "%d memory errors that ECC could not correct, since the driver was loaded"),
    ("remap_failed", "E_REMAP", "a memory row could not be remapped (%d)"),
    ("remap_pending", "E_REMAP_PENDING", "memory rows wait for a reset of the GPU (%d)"),
    ("retired_pending", "E_REMAP_PENDING", "memory pages wait for a reboot (%d)"),
)


def faults(now, before, settings=None):
    """(code, sentence) of everything that is wrong; pure. ``before`` are the same counters when the suite began."""
    for name, code, text in COUNTS:
        if now.get(name):
            yield code, text % now[name]
    for reason in now.get("throttle") or []:
        if reason in HARD:
            yield "E_THROTTLE", "the clocks are held down all the time: %s" % reason
    if found := _xids(now, settings, of_programs=False):
        yield "E_XID", "the driver reported Xid %s while the checks ran" % found
    if lost := _lost_links(now, before):
        yield "E_NVLINK", "NVLink is down on %s" % ", ".join(str(each) for each in lost)
    grown = (now.get("ecc_uncorrected_lifetime") or 0) - (before.get("ecc_uncorrected_lifetime") or 0)
    if before and grown > 0 and not now.get("ecc_uncorrected"):
        yield "E_ECC", "%d new memory errors while the checks ran" % grown


def notes(now, before, settings):
    """(code, sentence) of what is worth knowing; pure."""
    if "sw_thermal" in (now.get("throttle") or []):
        yield "W_THROTTLE", "the driver slows the clocks for heat"
    for reason in sorted(set(now.get("throttle_seen") or []) - set(now.get("throttle") or [])):
        if reason in HARD:
            yield "W_THROTTLE", "the clocks are held down at moments: %s" % reason
    if found := _xids(now, settings, of_programs=True):
        yield "W_XID", "the driver reported Xid %s, a program's fault on this card" % found
    if now.get("nvlink_up") and now.get("nvlink_down") and not _lost_links(now, before):
        yield (
            "W_NVLINK",
            "%d of %d NVLinks are connected" % (len(now["nvlink_up"]), len(now["nvlink_up"]) + len(now["nvlink_down"])),
        )
    if (now.get("ecc_corrected") or 0) > settings.get("corrected", float("inf")):
        yield "W_ECC", "%d memory errors were corrected" % now["ecc_corrected"]
    replays = (now.get("pcie_replays") or 0) - (before.get("pcie_replays") or 0)
    if before and replays > settings.get("replays", float("inf")):
        yield "W_PCIE_REPLAYS", "%d PCIe replays while the checks ran" % replays


def _xids(now, settings, of_programs):
    known = (settings or {}).get("xid_of_programs", ())
    return ", ".join(str(each) for each in now.get("xid") or () if (each in known) == of_programs)


def _lost_links(now, before):
    """Links that were up at the start, and any that is down where links lead to a switch: all are wired there."""
    down, up = now.get("nvlink_down") or [], now.get("nvlink_up") or []
    if up and (now.get("nvlink_switch") or before.get("nvlink_switch")):
        return down
    return [link for link in down if link in (before.get("nvlink_up") or [])]


def hold(before, now, measured, settings=None):
    """Raise Failed with every fault."""
    found = list(faults(now, before, settings))
    if found:
        raise Failed(found[0][0], "; ".join(text for _, text in found), measured)


def telemetry(bench):
    """What the driver says while products run (ECC, rows, Xid, clocks, NVLink), and what changed since the start."""
    card = nvml.open_card(bench)
    if card is None:
        raise Skipped("S_NO_NVML", "NVML has no handle for this device")
    watch, before = bench.baseline or (None, {})
    samples, now = _under_load(bench, card)
    now["throttle_seen"] = sorted(set().union(*samples))
    now["throttle"] = sorted(set(samples[0]).intersection(*samples))
    now["xid"] = watch.seen() if watch else None
    measured = dict(now, before=before, throttle_samples=len(samples))
    hold(before, now, measured, bench.settings)
    found = list(notes(now, before, bench.settings))
    if found:
        raise Noted(found[0][0], "; ".join(text for _, text in found), measured)
    return measured


def _under_load(bench, card):
    """(throttle reasons a sample, counters), each read while products are queued on the device."""
    torch, n = bench.torch, bench.matrix_size(2)
    load = torch.randn(n, n, device=bench.device).to(torch.float16)
    samples, until = [], time.perf_counter() + bench.settings["seconds"]
    while len(samples) < bench.settings["samples"] or time.perf_counter() < until:
        for _ in range(bench.settings["queue"]):
            torch.mm(load, load)
        samples.append(nvml.throttle_reasons(card))
        bench.sync()
    now = nvml.counters(bench)
    bench.sync()
    return samples, now
