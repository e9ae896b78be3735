"""Every rule, and how spec and machines become rules: one small class per rule, equal ones merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from packaging.specifiers import SpecifierSet

from envforge.facts import Architecture, Card, Facts
from envforge.model import ABSENT, ComputeCapability, Dotted, Driver, Gpu, Machine, Offer, Spec
from envforge.plan import channel_pythons, public_pythons, unasked_channels, wheels_alone
from envforge.resolve.constraints.base import Change, Ruled, named, on_gpu
from envforge.resolve.constraints.compiled import compiled_for
from envforge.resolve.constraints.driver import BranchServesCard, DriverFloor, ModuleFlavour
from envforge.resolve.constraints.kernels import KernelCoverage
from envforge.resolve.constraints.needs import EnoughGpus
from envforge.resolve.constraints.pins import CudaPin, NotNewer, PythonPin, SourcePin, TorchPin
from envforge.resolve.constraints.policy import GpuPolicy, policy_of
from envforge.resolve.constraints.source import CompanionExists, ExtensionRuns, PythonServed, SourceAnswers
from envforge.resolve.constraints.stated import SpokenCuda
from envforge.resolve.constraints.system import GlibcFloor, JetsonBuild, Platform
from envforge.resolve.constraints.toolkit import ToolkitExists, ToolkitTargets

__all__ = [
    "Change",
    "Ruled",
    "capability_of",
    "constraints_of",
    "has_gpus",
    "is_tegra",
    "machine_rules",
    "named",
    "of_machine",
    "on_gpu",
    "policy_of",
    "speaks",
]

WINDOWS = "win-64"


def constraints_of(
    spec: Spec, machines: tuple[Machine, ...], facts: Facts, offers: tuple[Offer, ...] = ()
) -> tuple[Ruled, ...]:
    """Give every rule of the spec, of the sources that were asked, and of the machines; equal ones once."""
    rules = [*_of_spec(spec, facts), *_of_sources(offers)]
    for machine in machines:
        hosts = (machine.name,) if len(machines) > 1 else ()
        rules += of_machine(spec, machine, facts, offers, hosts)
    return merge(rules)


def merge(rules: Iterable[Ruled]) -> tuple[Ruled, ...]:
    """Make equal rules one that speaks for the hosts of all of them."""
    hosts: dict[Ruled, list[str]] = {}
    for rule in rules:
        hosts.setdefault(rule, []).extend(rule.hosts)
    return tuple(replace(rule, hosts=tuple(dict.fromkeys(names))) for rule, names in hosts.items())


def _of_spec(spec: Spec, facts: Facts) -> Iterator[Ruled]:
    if spec.torch is not None:
        yield TorchPin(wanted=spec.torch, where=(spec.where("torch"),))
    if isinstance(spec.cuda, SpecifierSet) or spec.cuda == "none":
        yield CudaPin(wanted=spec.cuda if isinstance(spec.cuda, SpecifierSet) else None, where=(spec.where("cuda"),))
    if spec.python is not None:
        yield PythonPin(wanted=spec.python, where=(spec.where("python"),))
    yield SourcePin(sources=spec.sources, where=(spec.where("sources"),))
    if spec.exclude_newer:
        yield NotNewer(day=spec.exclude_newer, facts=facts, where=(spec.where("exclude-newer"),))
    if spec.toolkit:
        yield ToolkitExists(channels=spec.channels, facts=facts, where=(spec.where("toolkit"),))
    for name in spec.companions:
        yield CompanionExists(companion=name, facts=facts, where=(spec.where("with"),))
    yield from compiled_for(spec, facts)


def _of_sources(offers: tuple[Offer, ...]) -> Iterator[Ruled]:
    for offer in offers:
        if offer.error is not None:
            yield SourceAnswers(source=offer.source, error=offer.error)


def of_machine(
    spec: Spec, machine: Machine, facts: Facts, offers: tuple[Offer, ...], hosts: tuple[str, ...]
) -> Iterator[Ruled]:
    """Give the rules of one machine for one spec; those that nothing could break are left out."""
    yield from machine_rules(machine, facts, hosts)
    policy = policy_of(spec)
    yield GpuPolicy(policy=policy, has_gpus=has_gpus(machine), hosts=hosts, where=(spec.where("gpu"),))
    if spec.needs != type(spec.needs)():
        yield EnoughGpus.of(spec.needs, _sizes(machine, facts), hosts=hosts, where=(spec.where("needs"),))
    yield from _of_what_is_compiled(spec, machine, facts, hosts)
    yield PythonServed(
        unasked=unasked_channels(spec, offers),
        channels=channel_pythons(spec, offers, _on_conda_forge(facts, machine.subdir)),
        at_hand=_minors(machine),
        wheels_alone=wheels_alone(spec),
        hosts=hosts,
    )


def _of_what_is_compiled(spec: Spec, machine: Machine, facts: Facts, hosts: tuple[str, ...]) -> Iterator[Ruled]:
    """Give the rules of what the spec compiles (``toolkit``), or takes compiled (extensions), for each card."""
    tegra, written = is_tegra(machine, facts), (spec.where("toolkit"),)
    extensions = [name for name in spec.companions if facts.companions.is_extension(name)]
    for card, capability in _cards(machine, facts):
        if spec.toolkit:
            yield ToolkitTargets(card=card, capability=capability, tegra=tegra, facts=facts, hosts=hosts, where=written)
        for name in extensions:
            where = (spec.where("with"),)
            yield ExtensionRuns(companion=name, card=card, capability=capability, facts=facts, hosts=hosts, where=where)


def machine_rules(machine: Machine, facts: Facts, hosts: tuple[str, ...] = ()) -> Iterator[Ruled]:
    """Give the rules that hold on a machine whatever is asked for: system, driver, cards."""
    yield Platform(subdir=machine.subdir, hosts=hosts)
    yield GlibcFloor(glibc=machine.glibc, hosts=hosts)
    yield JetsonBuild(tegra=machine.tegra, hosts=hosts)
    yield from _of_driver(machine, facts, hosts)
    yield from _of_cards(machine, facts, hosts)


def _of_driver(machine: Machine, facts: Facts, hosts: tuple[str, ...]) -> Iterator[Ruled]:
    stated = "CONDA_OVERRIDE_CUDA" in overrides(machine)
    if isinstance(machine.cuda_version, Dotted) and (stated or machine.driver is None):
        yield SpokenCuda(cuda=machine.cuda_version, stated=stated, hosts=hosts)
        if machine.driver is None:
            return
    without = has_gpus(machine) is False
    yield DriverFloor(driver=machine.driver, scale=scale(machine), without_gpus=without, facts=facts, hosts=hosts)


def overrides(machine: Machine) -> Mapping[str, str]:
    """Give the variables by which the user states what a machine has, in the place of what was found."""
    reading = machine.reading("overrides")
    return reading.value if reading and isinstance(reading.value, Mapping) else {}


def _of_cards(machine: Machine, facts: Facts, hosts: tuple[str, ...]) -> Iterator[Ruled]:
    if has_gpus(machine) is None:
        yield KernelCoverage(card="an unknown GPU", capability=None, speaks=None, facts=facts, hosts=hosts)
    cards, tegra = _cards(machine, facts), is_tegra(machine, facts)
    for card, capability in cards:
        known = facts.architecture(capability) if capability else None
        yield KernelCoverage(
            card=card,
            capability=capability,
            tegra=tegra,
            speaks=speaks(machine, facts),
            first_cuda=known.first_cuda if known else None,
            family_cuda=_family_cuda(facts, capability.major) if capability else None,
            alone=len(cards) == 1,
            facts=facts,
            hosts=hosts,
        )
        if isinstance(machine.driver, Driver) and known and not tegra:
            yield from _of_card(machine.driver, card, known, hosts)


def _cards(machine: Machine, facts: Facts) -> list[tuple[str, ComputeCapability | None]]:
    """Give each kind of card of a machine once, by name."""
    kinds = {(gpu.name or "an unnamed GPU", capability_of(gpu, facts)) for gpu in machine.gpus or ()}
    return sorted(kinds, key=str)


def _of_card(driver: Driver, card: str, known: Architecture, hosts: tuple[str, ...]) -> Iterator[Ruled]:
    where = (known.where,)
    first, last = known.first_driver, known.last_driver
    yield BranchServesCard(driver=driver, card=card, first=first, last=last, hosts=hosts, where=where)
    if known.module != "either":
        yield ModuleFlavour(module=driver.module, demanded=known.module, card=card, hosts=hosts, where=where)


def scale(machine: Machine) -> str:
    """Say whose driver numbers a machine has: WSL shows the Windows host's."""
    return WINDOWS if (machine.platform or "").startswith("wsl") else machine.subdir or "linux-64"


def has_gpus(machine: Machine) -> bool | None:
    """Say whether a machine has NVIDIA GPUs; None when it could not be looked at. No Mac of today has one."""
    if machine.gpus is None:
        return False if (machine.subdir or "").startswith("osx") else None
    return bool(machine.gpus)


def speaks(machine: Machine, facts: Facts) -> Dotted | None:
    """Give the newest CUDA that a machine's driver speaks: as stated or read, else as facts say of its branch."""
    if isinstance(machine.cuda_version, Dotted):
        return machine.cuda_version
    if machine.driver is ABSENT or not isinstance(machine.driver, Driver):
        return None
    return machine.driver.cuda_version or _cuda_of_driver(facts, machine.driver.version)


@lru_cache(maxsize=4096)
def _cuda_of_driver(facts: Facts, version: Dotted) -> Dotted | None:
    return facts.cuda_of_driver(version)


def is_tegra(machine: Machine, facts: Facts) -> bool:
    """Say whether a machine is a Jetson: as read, else as facts say of its GPUs' names."""
    if machine.tegra is not None:
        return machine.tegra
    cards = (_card(facts, gpu.name) for gpu in machine.gpus or () if gpu.name)
    return any(card.tegra for card in cards if card)


@lru_cache(maxsize=64)
def _family_cuda(facts: Facts, major: int) -> Dotted | None:
    """Give the first CUDA that makes machine code for any GPU of a major."""
    family = (each.first_cuda for each in facts.drivers.architectures if each.capability.major == major)
    return min((first for first in family if first is not None), default=None)


@lru_cache(maxsize=64)
def _on_conda_forge(facts: Facts, subdir: str | None) -> tuple[str, ...]:
    return public_pythons(facts, subdir or "linux-64")


@lru_cache(maxsize=4096)
def _card(facts: Facts, name: str) -> Card | None:
    return facts.card(name)


def capability_of(gpu: Gpu, facts: Facts) -> ComputeCapability | None:
    """Give a GPU's compute capability: as read, else as facts say of its name."""
    if gpu.compute_capability is not None or gpu.name is None:
        return gpu.compute_capability
    card = _card(facts, gpu.name)
    return card.capability if card else None


def _sizes(machine: Machine, facts: Facts) -> tuple[Gpu, ...] | None:
    if machine.gpus is None:
        return () if has_gpus(machine) is False else None
    return tuple(
        Gpu(
            index=0,
            name=gpu.name,
            compute_capability=capability_of(gpu, facts),
            memory_bytes=gpu.memory_bytes,
        )
        for gpu in machine.gpus
    )


def _minors(machine: Machine) -> tuple[str, ...] | None:
    if machine.interpreters is None:
        return None
    minors = {(each.version.major, each.version.minor) for each in machine.interpreters}
    return tuple(f"{major}.{minor}" for major, minor in sorted(minors))
