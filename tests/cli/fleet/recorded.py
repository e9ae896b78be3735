"""A report as `fleet detect` leaves it, of nodes that exist only as what they answered."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from envforge.cli.fleet.gathering import ORDER
from envforge.fleet import Answer, Kept, Order, Outcome

DRIVERS = {"525.60.13": "12.0", "535.104.05": "12.2", "550.54.15": "12.4", "580.65.06": "13.0"}
CARDS = {"Tesla V100-SXM2-32GB": "7.0", "NVIDIA A100-SXM4-80GB": "8.0", "NVIDIA H100 80GB HBM3": "9.0"}
CAPABILITIES = {**CARDS, "NVIDIA B200": "10.0"}


def recording(driver: str, card: str, count: int = 4, glibc: str = "2.35") -> dict[str, Any]:
    """Write a node's recording: its driver, and so many cards of one name."""
    cards = [{"index": at, "name": card, "cc": CAPABILITIES[card], "memory_bytes": 80 << 30} for at in range(count)]
    return {
        "schema": "envforge.machine/1",
        "platform": {"kind": "bare-metal", "arch": "x86_64", "system": "Linux", "glibc": glibc},
        "os_release": {"ID": "ubuntu", "VERSION_ID": "22.04"},
        "modules": {"loaded": ["nvidia_uvm", "nvidia"], "version": driver},
        "nvml": {
            "init": {"code": 0, "name": "SUCCESS"},
            "driver_version": driver,
            "cuda_version": DRIVERS[driver],
            "devices": cards,
        },
    }


def twelve_kinds(count: int) -> dict[str, dict[str, Any]]:
    """Give so many nodes of twelve kinds."""
    kinds = tuple(product(DRIVERS, CARDS))
    return {f"node{at + 1:04}": recording(*kinds[at * len(kinds) // count]) for at in range(count)}


def keep_detected(report: Path, machines: Mapping[str, dict[str, Any]]) -> None:
    """Write what these nodes would have answered to `fleet detect`."""
    kept = Kept(report / "detect")
    for node, plain in machines.items():
        kept.write(detected(node, plain), Order(argv=ORDER))


def detected(node: str, plain: dict[str, Any]) -> Outcome:
    """Give a node's outcome of `fleet detect`."""
    data = {"machine": {"interpreters": []}, "recording": plain}
    answer = Answer(host=node, rc=0, took_s=1.0, document={"data": data, "errors": []})
    return Outcome(node=node, state="ok", attempts=1, took_s=1.0, answer=answer)
