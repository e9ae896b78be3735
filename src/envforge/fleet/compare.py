"""How fast each GPU is beside its siblings: medians of the fleet per card and operation, and who is below them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from statistics import median
from typing import Any, Literal

from envforge.model import value
from envforge.wire import read_yaml

Level = Literal["warn", "quarantine"]
OFF_GPU = frozenset({"cpu", "mps"})


@value
class Rate:
    """What one device reached in one operation; ``operation`` tells what may be compared."""

    node: str
    device: str
    card: str
    operation: str
    unit: str
    amount: float


@value
class Median:
    """What the fleet's devices of one card reach in one operation."""

    card: str
    operation: str
    unit: str
    amount: float
    devices: int


@value
class Slow:
    """A device that is far below its siblings; ``share`` is of their median."""

    rate: Rate
    median: Median
    share: float
    level: Level


def compare(reports: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[Median, ...], tuple[Slow, ...]]:
    """Compare the devices of all nodes, from each node's report of `verify`; the slowest first.

    A card with too few devices in the fleet has no median.
    """
    bounds, least = _table()["bounds"], _table()["least_devices"]["count"]
    groups: dict[tuple[str, str], list[Rate]] = {}
    for node, report in reports.items():
        for rate in rates(node, report):
            groups.setdefault((rate.card, rate.operation), []).append(rate)
    large = [members for members in groups.values() if len(members) >= least]
    pairs = [(_median(members), members) for members in large]
    slow = [each for middle, members in pairs for rate in members for each in _slow(rate, middle, bounds)]
    return tuple(middle for middle, _ in pairs), tuple(sorted(slow, key=lambda each: each.share))


def rates(node: str, report: Mapping[str, Any]) -> Iterator[Rate]:
    """Give what the GPUs of one node reached, from its report of `verify`."""
    results = [each for each in report.get("results", ()) if each.get("device") not in (None, *OFF_GPU)]
    cards = {each["device"]: each["measured"]["card"] for each in results if each["measured"].get("card")}
    for result in results:
        for row in _table()["rates"]:
            amount = result["measured"].get(row["measure"])
            if result["check"] == row["check"] and isinstance(amount, int | float) and result["device"] in cards:
                yield Rate(
                    node=node,
                    device=result["device"],
                    card=cards[result["device"]],
                    operation=_operation(row, result["measured"]),
                    unit=row["unit"],
                    amount=float(amount),
                )


def _operation(row: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    """Name what was measured: only products of one type and size, only links of one kind, are comparable."""
    words = [row["check"], row["measure"], *(f"{key}={measured[key]}" for key in row["by"] if key in measured)]
    return " ".join(words)


def _median(members: list[Rate]) -> Median:
    first = members[0]
    amount = median(each.amount for each in members)
    return Median(card=first.card, operation=first.operation, unit=first.unit, amount=amount, devices=len(members))


def _slow(rate: Rate, middle: Median, bounds: Mapping[str, float]) -> Iterable[Slow]:
    share = rate.amount / middle.amount if middle.amount else 1.0
    if share < bounds["warn"]:
        level: Level = "quarantine" if share < bounds["quarantine"] else "warn"
        yield Slow(rate=rate, median=middle, share=share, level=level)


@cache
def _table() -> Mapping[str, Any]:
    text = resources.files("envforge.fleet").joinpath("compare.yaml").read_text(encoding="utf-8")
    plain: Mapping[str, Any] = read_yaml(text, "compare.yaml").plain
    return plain
