"""NVIDIA's packages as the system's own databases list them: dpkg's and pacman's files, and rpm asked in a child."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from envforge.detect.host import Host
from envforge.errors import EngineFailed
from envforge.run import run

OURS = re.compile(r"\S*(?:nvidia|libcuda|cuda-drivers|cuda-compat)\S*")
PER_KERNEL = re.compile(r"kmod-nvidia(-open)?-\d")  # one for each kernel that is kept, the old ones of old drivers
BLOCK = re.compile(r"Package: (\S+)\n")
PACMAN = re.compile(r"(\S+?)-((?:\d+:)?[^-]+-[^-]+)$")
RPM_FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
QUERY = ("*nvidia*", "libcuda*", "cuda-drivers*", "cuda-compat*")
MOST_STATUS = 32 << 20
Send = Callable[[Any], None]


def packages(host: Host) -> dict[str, str]:
    """Read versions of NVIDIA's packages; one that is half installed shows its state. Raises OSError without a list."""
    if (text := host.text("/var/lib/dpkg/status", MOST_STATUS)) is not None:
        return _of_dpkg(text)
    if host.has("/var/lib/pacman/local"):
        rows = (PACMAN.match(path.name) for path in host.glob("/var/lib/pacman/local/*nvidia*"))
        return {row[1]: row[2] for row in rows if row}
    raise OSError("no list of packages can be read here: neither dpkg's nor pacman's, and rpm did not answer")


def _of_dpkg(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for block in text.split("\n\n"):
        match = BLOCK.match(block)
        if not match or not OURS.fullmatch(match[1]):
            continue
        state = re.search(r"^Status: \S+ \S+ (\S+)$", block, re.MULTILINE)
        version = re.search(r"^Version: (\S+)$", block, re.MULTILINE)
        if state and state[1] not in {"not-installed", "config-files"}:
            found[match[1]] = version[1] if version and state[1] == "installed" else state[1]
    return found


def ask_rpm(send: Send, host: Host) -> None:
    """Send what rpm lists, where it keeps a database and no other one stands beside it."""
    folder, program = next((each for each in RPM_FOLDERS if host.has(each)), None), host.program("rpm")
    if folder is None or program is None or host.has("/var/lib/dpkg/status"):
        return
    listing = ("--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\\n", "--dbpath", str(host.path(folder)))
    try:
        done = run([program, "--query", "--all", *listing, *QUERY], deadline_s=host.deadline_s * 0.8)
    except EngineFailed:
        return
    if done.ok:
        rows = (line.split(" ", 1) for line in done.stdout.splitlines() if OURS.match(line))
        send({row[0]: row[1] for row in rows if len(row) == 2 and not PER_KERNEL.match(row[0])})
