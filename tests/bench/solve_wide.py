"""Solve against a channel, once, in a process of its own: ``python solve_wide.py URL CACHE`` prints what it took.

Seconds of the solve as the command sees them (a worker is started, rattler imported), and the most memory that the worker
had at once.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from packaging.version import Version

from envforge.engines.rattler import RattlerEngine
from envforge.model import Build, Candidate, Floor, Plan

MACHINE = {"__unix": "0", "__linux": "6.1", "__glibc": "2.36", "__archspec": "1=x86_64_v3"}


def plan(url: str) -> Plan:
    build = Build(
        torch=Version("2.13.0"),
        variant="cpu",
        cuda=None,
        source=url,
        kind="conda",
        subdir="linux-64",
        pythons=("3.11",),
    )
    return Plan(
        name="wide",
        candidate=Candidate(python="3.11", build=build),
        subdir="linux-64",
        python="3.11",
        floor=Floor(subdir="linux-64"),
        channels=(url,),
        specs=("python 3.11.*", "pytorch"),
        virtual=tuple(MACHINE.items()),
    )


def main() -> None:
    url, cache = sys.argv[1], Path(sys.argv[2])
    began = time.perf_counter()
    found = RattlerEngine(cache, environ={}).lock(plan(url), lambda _: None)
    took_s = time.perf_counter() - began
    peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps({"took_s": round(took_s, 3), "peak_bytes": peak_bytes, "packages": len(found)}))


if __name__ == "__main__":
    main()
