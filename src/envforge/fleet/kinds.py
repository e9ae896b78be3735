"""A thousand nodes are a handful of kinds: nodes that no decision can tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from envforge.fleet.nodeset import fold
from envforge.model import Driver, Gpu, Machine, value

GIB = 1 << 30
LABEL = 40


@value
class Kind:
    """Nodes that are alike, and one machine that speaks for them; it is called by their names."""

    names: tuple[str, ...]
    machine: Machine


def kinds_of(machines: Iterable[Machine]) -> tuple[Kind, ...]:
    """Put machines that are alike together, the most frequent kind first."""
    groups: dict[Any, list[Machine]] = {}
    for machine in machines:
        groups.setdefault(_features(machine), []).append(machine)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return tuple(_kind(members) for members in ordered)


def _kind(members: list[Machine]) -> Kind:
    names = tuple(each.name for each in members)
    together = fold(names)
    label = together if len(together) <= LABEL else f"{names[0]} and {len(names) - 1} like it"
    return Kind(names=names, machine=replace(members[0], name=label))


def _features(machine: Machine) -> tuple[Any, ...]:
    """Give all of a machine that decides what runs there: not its ids, nor what its CPU and memory are."""
    driver, stated = machine.driver, machine.reading("overrides")
    return (
        (machine.subdir, machine.os, machine.platform, machine.container, machine.tegra, machine.glibc),
        (driver.version, driver.cuda_version, driver.module) if isinstance(driver, Driver) else driver,
        machine.cuda_version,
        None if machine.gpus is None else tuple(sorted(map(_card, machine.gpus), key=str)),
        tuple(sorted({each.version.parts[:2] for each in machine.interpreters or ()})),
        str(stated.value) if stated else None,
    )


def _card(gpu: Gpu) -> tuple[Any, ...]:
    return gpu.name, gpu.compute_capability, gpu.mig, None if gpu.memory_bytes is None else gpu.memory_bytes // GIB
