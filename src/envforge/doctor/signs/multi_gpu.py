"""Several GPUs and several nodes."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.doctor.signs.resources import SHM, mounts, number
from envforge.model import Evidence

BRIDGES = re.compile(r"^(br-|veth|virbr|cni|flannel|cali|lxdbr|incusbr)")
NCCL_ERROR = r"ncclSystemError|ncclInternalError|NCCL WARN|Socket creation failed|Connection refused"


@sign("nccl-shm-too-small", group="multi-gpu")
def room_for_channels(p: Chart) -> Evidence | None:
    shm, gpus = mounts(p).get(SHM, {}), len(r.healthy_devices(p))
    free = number(shm.get("free_mib", shm.get("size_mib")))
    wanted = p.known["nccl_shm_mib"] * 2 * gpus
    if free is None or gpus < 2 or free >= wanted:
        return None
    return r.likely(f"{SHM} {free:.0f} MiB free", free=f"{free:.0f}", wanted=wanted, gpus=gpus, severity="degraded")


@sign("nccl-shm-too-small")
def segment_fails(p: Chart) -> Evidence | None:
    line = p.said(SHM + r"/nccl-\S*.{0,80}(No space left|\(28\)|size \d+)")
    free = number((p.maybe("mounts", SHM) or {}).get("free_mib"))
    if not line:
        return None
    wanted = p.known["nccl_shm_mib"] * 2 * max(1, len(p.maybe("nvml", "devices") or ()))
    gpus = len(p.maybe("nvml", "devices") or ()) or None
    return r.certain(line, free=None if free is None else f"{free:.0f}", wanted=wanted, gpus=gpus)


def _over_nodes(p: Chart) -> bool:
    ranks, local = (
        r.env(p, "WORLD_SIZE") or "1",
        r.env(p, "LOCAL_WORLD_SIZE") or str(len(p.maybe("nvml", "devices") or ())),
    )
    return ranks.isdigit() and local.isdigit() and int(ranks) > max(1, int(local))


@sign("nccl-wrong-interface")
def bridges_are_up(p: Chart) -> Evidence | None:
    names = [str(row).split()[0] for row in p.words("net") if row]
    given, traps = r.env(p, "NCCL_SOCKET_IFNAME"), [name for name in names if BRIDGES.match(name)]
    line = p.said(NCCL_ERROR) if p.maybe("app_error") else None
    severity = None if line else "advisory"
    if given and not _matches(given, names) and names:
        return r.likely(f"NCCL_SOCKET_IFNAME={given}", *names, line or "", value=given, severity=severity)
    if given or not traps or not (_over_nodes(p) or line):
        return None
    say = r.likely if line else r.possible
    return say(*traps, line or "", interfaces=", ".join(traps), severity=severity)


def _matches(given: str, names: list[str]) -> bool:
    """Follow NCCL: prefixes, ``=`` for whole names, ``^`` for all others."""
    wanted = given.lstrip("^").lstrip("=").split(",")
    hits = [name for name in names for word in wanted if (name == word if "=" in given else name.startswith(word))]
    return len(hits) < len(names) if given.startswith("^") else bool(hits)


@sign("nccl-p2p-hang-iommu-acs")
def works_without_p2p(p: Chart) -> Evidence | None:
    rows = p.need("nccl_probe")
    default = str(rows.get("default")) if isinstance(rows, dict) else "ok"
    without = next((str(item) for name, item in rows.items() if "P2P_DISABLE" in name), "") if default != "ok" else ""
    if default.startswith("ok") or not without.startswith("ok"):
        return None
    acs = p.noted(r"acs", like=r"ReqRedir\+|CmpltRedir\+|SrcValid\+")
    note = "; ACS redirects traffic on the bridges above the cards" if acs else ""
    return (r.certain if acs else r.likely)(f"NCCL: {default}", "NCCL_P2P_DISABLE=1: ok", acs or "", acs=note)


@sign("nccl-p2p-hang-iommu-acs")
def copy_is_corrupt(p: Chart) -> Evidence | None:
    line = p.noted(r"p2p.*(copy|check)", like="corrupt|mismatch|deadline|hang|timeout")
    return r.likely(line, acs="") if line else None


@sign("nccl-p2p-hang-iommu-acs")
def watchdog_and_redirect(p: Chart) -> Evidence | None:
    """Without the test with P2P switched off, a time-out and ACS together are a hint only."""
    line = p.said(r"watchdog.*time(d )?out|NCCL.*(hang|stuck)|collective operation timeout")
    acs = p.noted(r"acs", like=r"ReqRedir\+")
    return r.possible(line, acs) if line and acs else None
