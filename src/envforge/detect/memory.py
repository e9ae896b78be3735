"""How much memory and how many processors the host has, through psutil; and what a container may use of it."""

from __future__ import annotations

from typing import Any

from envforge.detect.host import Host, require

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory(host: Host) -> dict[str, Any]:
    """Read memory in bytes and the number of cores; ``limit_bytes`` is the container's, where it has one below that.

    psutil asks the running system, so a host at another root has only the files that say so.
    """
    import psutil

    require(host, "/proc")
    if str(host.root) != "/":
        raise OSError("memory is asked of the running system only")
    found, swap = psutil.virtual_memory(), psutil.swap_memory()
    limit = _limit(host)
    told: dict[str, Any] = {"total_bytes": found.total, "available_bytes": found.available, "swap_bytes": swap.total}
    told |= {"cores": psutil.cpu_count(logical=False), "threads": psutil.cpu_count()}
    return told | ({"limit_bytes": limit} if limit is not None and limit < found.total else {})


def _limit(host: Host) -> int | None:
    words = next((text for path in CGROUP_LIMITS if (text := host.words(path))), None)
    return int(words) if words and words.isdigit() else None
