"""Memory, disks, mounts, limits."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart, Missing
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

OUT_OF_MEMORY = 2
SHM = "/dev/shm"  # noqa: S108 - the mount itself
OOM = r"CUDA out of memory|OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY"
NETWORK = r"\b(nfs4?|lustre|beegfs|gpfs|cifs|smb3?|fuse\.sshfs|ceph)\b"
LITTLE_MIB = 100
SLOW_IMPORT_S = 60
CACHES = r"triton|inductor|/tmp$|/var/tmp$|\.cache|TMPDIR"


def mounts(p: Chart) -> dict[str, dict[str, object]]:
    found = p.need("mounts")
    rows = found.items() if isinstance(found, dict) else ()
    return {str(path): item for path, item in rows if isinstance(item, dict)}


def number(item: object) -> float | None:
    return float(item) if isinstance(item, int | float) and not isinstance(item, bool) else None


@sign("shm-too-small-dataloader")
def small_shared_memory(p: Chart) -> Evidence | None:
    size = number(mounts(p).get(SHM, {}).get("size_mib"))
    if size is None or size > p.known["shm_mib"] or not r.in_container(p):
        return None
    line = (
        p.said(r"Bus error|shared memory(?! segment /dev/shm/nccl)")
        if p.maybe("app_error") or p.maybe("env_probe")
        else None
    )
    return r.certain(line or "", f"{SHM} {size:.0f} MiB", size=f"{size:.0f}", severity=None if line else "advisory")


def _memory(device: r.Device) -> tuple[float, float]:
    return number(device.get("memory_used_mib")) or 0.0, number(device.get("memory_mib")) or 0.0


def _shows_processes(p: Chart, device: r.Device) -> bool:
    return not (r.is_wsl(p) or r.is_windows(p) or r.mig_on(device) or "VGPU" in str(device.get("virtualization")))


def _own_use(p: Chart, total: float) -> float:
    """Give what driver and display may hold: NVML lists no windows, and a desktop takes a good part of a card."""
    rows = p.maybe("pci")
    shows = rows is None or any(str(row.get("class", "0300")).startswith(("0x0300", "0300")) for row in rows if row)
    return max(float(p.known["orphan_mib"]), total * p.known["display_share"] if shows else 0.0)


@sign("gpu-memory-held-by-orphan")
def holder_is_not_here(p: Chart) -> Evidence | None:
    for device in r.healthy_devices(p):
        used, total = _memory(device)
        listed = device.get("processes")
        if not isinstance(listed, list) or not _shows_processes(p, device) or used < p.known["orphan_mib"] or not total:
            continue
        strange = [each for each in listed if isinstance(each, dict) and each.get("in_proc") is False]
        explained = sum(number(each.get("memory_mib")) or 0.0 for each in listed if isinstance(each, dict))
        if not strange and (used - explained <= _own_use(p, total) or (listed and not explained)):
            continue
        if r.in_container(p) and not p.heard(OOM):
            continue
        owner = f"process {strange[0].get('pid')} has them and is not in /proc" if strange else "no process has them"
        full = bool(p.heard(OOM)) or used > 0.8 * total
        words = {"used": f"{used:.0f}", "gpu": r.name_of(device), "owner": owner}
        line = f"GPU {r.name_of(device)}: {used:.0f} MiB used, {owner}"
        return r.likely(line, severity=None if full else "degraded", **words)
    return None


@sign("gpu-memory-full-by-others")
def others_fill_it(p: Chart) -> Evidence | None:
    oom = p.heard(OOM)
    for device in r.healthy_devices(p):
        used, total = _memory(device)
        listed = [
            each for each in device.get("processes") or () if isinstance(each, dict) and each.get("in_proc", True)
        ]
        if not listed or not total or used < (0.5 if oom else 0.95) * total:
            continue
        owner = ", ".join(f"{each.get('name', 'process')} {each.get('pid')}" for each in listed[:3])
        words = {"used": f"{used:.0f}", "total": f"{total:.0f}", "gpu": r.name_of(device), "owner": owner}
        return r.certain(oom or "", f"{used:.0f} of {total:.0f} MiB", severity=None if oom else "advisory", **words)
    return None


@sign("gpu-memory-full-by-others")
def torch_names_another(p: Chart) -> Evidence | None:
    """torch lists the other processes on the card: ``Process 4242 has 79.08 GiB memory in use``."""
    other = p.told(r"(?<!this )process (\d+) has ([\d.]+) GiB memory in use")
    whole = p.told(r"total capacity of ([\d.]+) GiB")
    if not other or not whole or float(other[2]) < 0.5 * float(whole[1]):
        return None
    words = {"used": f"{float(other[2]) * 1024:.0f}", "total": f"{float(whole[1]) * 1024:.0f}"}
    return r.likely(other[0], gpu="of this program", owner=f"process {other[1]}", **words)


@sign("disk-full")
def no_room_left(p: Chart) -> Evidence | None:
    for path, mount in mounts(p).items():
        free, inodes = number(mount.get("free_mib")), number(mount.get("free_inodes"))
        tight = (free is not None and free < LITTLE_MIB) or inodes == 0
        if tight and not re.match(r"/(dev|proc|sys|run|boot|snap)\b", path) and "ro," not in str(mount.get("options")):
            words = {"path": path, "free": f"{free or 0:.0f}", "inodes": inodes if inodes is not None else "unknown"}
            return r.certain(f"{path}: {free} MiB, {inodes} inodes free", **words)
    return None


@sign("disk-full")
def program_says_full(p: Chart) -> Evidence | None:
    line = p.said(r"^(?!.*/dev/shm).*(No space left on device|Disk quota exceeded|\[Errno (28|122)\])")
    return r.certain(line) if line else None


@sign("cache-dir-not-writable")
def cache_is_closed(p: Chart) -> Evidence | None:
    closed = [path for path, item in p.leaves if re.search(r"cache.*writable", path) and item is False]
    if not closed:
        p.need("caches")
        return None
    return r.certain(f"{closed[0]}: False", path=closed[0].removesuffix(".writable"))


@sign("noexec-tmp-or-cache")
def cache_on_noexec(p: Chart) -> Evidence | None:
    for path, mount in mounts(p).items():
        options = str(mount.get("options"))
        if "noexec" in options and re.search(CACHES, path):
            line = p.heard("failed to map segment from shared object")
            severity = None if line else "advisory"
            return r.certain(f"{path}: {options}", line or "", path=path, options=options, severity=severity)
    return None


def _prefix_mount(p: Chart) -> tuple[str, dict[str, object]] | None:
    prefix = str(p.maybe("env_probe", "prefix") or "")
    under = [path for path in mounts(p) if prefix and r.within(prefix + "/", path)]
    best = max(under, key=len, default=None)
    return (best, mounts(p)[best]) if best else None


@sign("env-on-noexec-or-slow-fs")
def prefix_does_not_suit(p: Chart) -> Evidence | None:
    found = _prefix_mount(p)
    if not found:
        return None
    options = str(found[1].get("options") or "")
    kind = str(found[1].get("fstype") or found[1].get("type") or found[0])
    took = next((number(item) for path, item in p.leaves if re.search(r"import_(took_)?s$", path)), None)
    if "noexec" in options and p.maybe("env_probe", "import") not in (None, "ok"):
        return r.certain(f"{found[0]}: {options}", kind=kind, options=options)
    slow = took is not None and took > SLOW_IMPORT_S and re.search(NETWORK, kind)
    return r.likely(f"import took {took} s from {kind}", kind=kind, took=took) if slow else None


@sign("nfs-triton-cache-race", group="multi-gpu")
def cache_on_network(p: Chart) -> Evidence | None:
    for path, mount in mounts(p).items():
        kind = str(mount.get("fstype") or mount.get("type") or "")
        if re.search(CACHES, path) and re.search(NETWORK, kind):
            return r.possible(f"{path}: {kind}", path=path, kind=kind, severity="advisory")
    return None


@sign("address-space-limit")
def reservation_refused(p: Chart) -> Evidence | None:
    if r.cuinit(p) != OUT_OF_MEMORY:
        return None
    limit = p.noted(r"limits?.*(\bas\b|_as|address|virtual)|rlimit_as|ulimit_v", like=r"\d")
    strict = p.noted(r"overcommit_memory", like="^2$")
    why = strict or limit
    if why is None:
        raise Missing("limits")
    return r.likely("cuInit 2", why, limit=why)
