"""A choice -> what the engines are asked for. Pure.

The match specs get the chosen build and nothing else; the machine is told as explicit virtual packages, never looked
up on the host that solves. What is unknown of the machine is told as the least that the plan's floor promises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from packaging.version import Version

from envforge.model import (
    Absent,
    Build,
    Candidate,
    ComputeCapability,
    Dotted,
    Driver,
    Floor,
    Interpreter,
    Machine,
    Offer,
    Plan,
    Spec,
)

PUBLIC = ("conda-forge",)
WHEEL_INDEX = "https://download.pytorch.org/whl"
OLD_CHANNEL = "https://conda.anaconda.org/pytorch"
OLD_CHANNEL_PARTNER = "https://conda.anaconda.org/nvidia"
LEVEL = {"linux-64": "x86_64", "win-64": "x86_64", "osx-64": "x86_64", "linux-aarch64": "aarch64", "osx-arm64": "m1"}
FIRST_MACOS = {"osx-arm64": "11.0", "osx-64": "10.13"}


class _Card(Protocol):
    @property
    def capability(self) -> ComputeCapability: ...


class PlanFacts(Protocol):
    """What a plan asks of facts (`facts.Facts` has it)."""

    def driver_floor(self, cuda: Dotted, subdir: str) -> Dotted | None: ...
    def cuda_of_driver(self, driver: Dotted) -> Dotted | None: ...
    def numpy_limit(self, build: Build, /) -> str | None: ...
    def card(self, name: str) -> _Card | None: ...
    def builds(self, subdir: str) -> tuple[Build, ...]: ...


def make_plan(
    spec: Spec, candidate: Candidate, machine: Machine, facts: PlanFacts, offers: tuple[Offer, ...] = ()
) -> Plan:
    """Plan one environment for a candidate that was chosen for this machine.

    Python comes from a conda channel where one serves it, else from an interpreter at hand.
    """
    build = candidate.build
    subdir = machine.subdir or build.subdir
    floor = floor_of(build, subdir, facts)
    at_hand = interpreter(spec, candidate, machine, facts, offers)
    return Plan(
        name=spec.name,
        candidate=candidate,
        subdir=subdir,
        python=candidate.python,
        floor=floor,
        channels=() if at_hand else channels(spec, build),
        specs=() if at_hand else tuple(_specs(spec, candidate)),
        limits=() if at_hand else tuple(_limits(build, machine, facts)),
        wheel_limits=tuple(_wheel_limits(build, facts)),
        virtual=tuple(_virtual(machine, build, floor, facts)),
        requirements=tuple(_requirements(spec, candidate)),
        indexes=indexes(spec, build),
        find_links=spec.find_links,
        interpreter=at_hand,
        variables=spec.variables,
        exclude_newer=spec.exclude_newer,
    )


def floor_of(build: Build, subdir: str, facts: PlanFacts) -> Floor:
    """Give the least that a build needs: the driver of its CUDA family, glibc, and the machine code inside it."""
    if build.cuda is None:
        return Floor(subdir=subdir, glibc=build.glibc)
    driver = facts.driver_floor(build.cuda, subdir)
    return Floor(subdir=subdir, driver=driver, glibc=build.glibc, capabilities=build.sass or ())


def wheels_alone(spec: Spec) -> bool:
    """Say whether an environment of wheels would do: nothing in the spec needs a conda package."""
    return not spec.conda and not spec.toolkit


def channel_pythons(spec: Spec, offers: tuple[Offer, ...], public: tuple[str, ...]) -> tuple[str, ...]:
    """Give the Pythons that conda channels serve for sure: as offered, else ``public`` for conda-forge."""
    asked = {offer.source for offer in offers}
    pythons = [python for offer in offers if offer.error is None for python in offer.pythons]
    trusted = any(channel in PUBLIC and channel not in asked for channel in spec.channels)
    return tuple(dict.fromkeys([*pythons, *(public if trusted else ())]))


def unasked_channels(spec: Spec, offers: tuple[Offer, ...]) -> tuple[str, ...]:
    """Give the spec's conda channels of which nothing is known: private ones that nobody asked."""
    asked = {offer.source for offer in offers}
    return tuple(channel for channel in spec.channels if channel not in asked and channel not in PUBLIC)


def public_pythons(facts: PlanFacts, subdir: str) -> tuple[str, ...]:
    """Give the Pythons that conda-forge has by what facts say: those that it built torch for."""
    found = (build.pythons for build in facts.builds(subdir) if build.source == "conda-forge")
    return tuple(sorted({python for pythons in found for python in pythons}, key=Version))


def interpreter(
    spec: Spec, candidate: Candidate, machine: Machine, facts: PlanFacts, offers: tuple[Offer, ...]
) -> Interpreter | None:
    """Give the Python at hand that the environment must stand on, when wheels will do and no channel serves it."""
    if candidate.build.kind == "conda" or not wheels_alone(spec) or unasked_channels(spec, offers):
        return None
    if candidate.python in channel_pythons(spec, offers, public_pythons(facts, candidate.build.subdir)):
        return None
    fits = (each for each in machine.interpreters or () if _minor(each) == candidate.python)
    return max(fits, key=lambda each: each.version, default=None)


def _minor(at_hand: Interpreter) -> str:
    return f"{at_hand.version.major}.{at_hand.version.minor}"


def channels(spec: Spec, build: Build) -> tuple[str, ...]:
    """Give the conda channels, torch's own first when the spec does not name it."""
    if build.kind == "wheel":
        return spec.channels
    own = (build.source, OLD_CHANNEL_PARTNER) if build.source == OLD_CHANNEL else (build.source,)
    return (*(each for each in own if each not in spec.channels), *spec.channels)


def indexes(spec: Spec, build: Build) -> tuple[str, ...]:
    """Give the wheel indexes, torch's own first: for the PyTorch project's index, the page of the variant."""
    own = f"{WHEEL_INDEX}/{build.variant}" if build.source == "pytorch" else build.source
    if build.kind == "conda" or own in spec.indexes or own in spec.find_links:
        return spec.indexes
    return (own, *spec.indexes)


def _specs(spec: Spec, candidate: Candidate) -> Iterator[str]:
    """Give match specs in the spelling that rattler, conda and mamba read alike: name, version, build, by blanks."""
    build = candidate.build
    yield f"python {candidate.python}.*"
    if build.kind == "conda":
        yield f"pytorch =={build.torch} {build_glob(build)}".rstrip()
        if build.subdir == "linux-aarch64" and build.cuda:
            yield f"arm-variant * {'tegra' if build.tegra else 'sbsa'}"
        yield from spec.companions
    if spec.toolkit and build.cuda:
        yield from (f"{name} {build.cuda}.*" for name in ("cuda-nvcc", "cuda-libraries-dev"))
    yield from spec.conda


def build_glob(build: Build) -> str:
    """Give the glob over build strings that only this variant's match; empty for an unknown variant, and on macOS.

    conda-forge's begin with it (``cuda129_mkl_py313_...``), the old channel's and its mirrors' have it inside
    (``py3.11_cuda12.1_cudnn8.9.2_0``); for macOS the latter name none.
    """
    if not build.variant or build.subdir.startswith("osx"):
        return ""
    first = build.source == "conda-forge" or (build.cuda is not None and "." not in build.variant)
    return f"{build.variant}*" if first else f"*{build.variant}*"


def _limits(build: Build, machine: Machine, facts: PlanFacts) -> Iterator[str]:
    """Keep ``cuda-version`` between the build's own and what the driver speaks; on the build's own where that is more.

    Its metadata only asks for a driver of the same major, so that a solver would float to the newest minor.
    """
    spoken = _speaks(machine, facts)
    if build.cuda is not None:
        yield f"cuda-version >={build.cuda},<={max(build.cuda, spoken or build.cuda)}"
    elif spoken is not None:
        yield f"cuda-version <={spoken}"
    yield from _wheel_limits(build, facts)


def _wheel_limits(build: Build, facts: PlanFacts) -> Iterator[str]:
    """Keep numpy to what a wheel of torch was built against: it declares none, and another breaks their bridge."""
    if limit := facts.numpy_limit(build):
        yield f"numpy {limit}"


def _requirements(spec: Spec, candidate: Candidate) -> Iterator[str]:
    """Give the wheels: torch and its companions exactly, then the user's own."""
    build = candidate.build
    if build.kind == "wheel":
        local = f"+{build.local}" if build.local else ""
        yield f"torch=={build.torch.public}{local}"
        paired = dict(candidate.companions)
        for name in spec.companions:
            yield f"{name}=={paired[name]}" if name in paired else name
    yield from spec.wheels


def _virtual(machine: Machine, build: Build, floor: Floor, facts: PlanFacts) -> Iterator[tuple[str, str]]:
    """Tell the machine as virtual packages (CEP 30, CEP 46), version or ``version=build``."""
    system = floor.subdir.split("-")[0]
    if system != "win":
        yield "__unix", "0"
    if system == "osx":
        yield "__osx", _macos(machine, floor.subdir)
    else:
        yield f"__{system}", "0"
    glibc = machine.glibc or floor.glibc
    if system == "linux" and isinstance(glibc, Dotted):
        yield "__glibc", str(glibc)
    level = machine.cpu if machine.cpu and re.fullmatch(r"[A-Za-z0-9_.+]+", machine.cpu) else None
    yield "__archspec", f"1={level or LEVEL.get(floor.subdir, floor.subdir)}"
    cuda = _virtual_cuda(machine, build, facts)
    if cuda is not None:
        yield "__cuda", str(cuda)
        if capability := _lowest(machine, facts):
            yield "__cuda_arch", str(capability)


def _macos(machine: Machine, subdir: str) -> str:
    words = (machine.os or "").replace("-", " ").split()
    return next((word for word in words if word[:1].isdigit()), FIRST_MACOS.get(subdir, "11.0"))


def _speaks(machine: Machine, facts: PlanFacts) -> Dotted | None:
    if isinstance(machine.cuda_version, Dotted):
        return machine.cuda_version
    if not isinstance(machine.driver, Driver):
        return None
    return machine.driver.cuda_version or facts.cuda_of_driver(machine.driver.version)


def _virtual_cuda(machine: Machine, build: Build, facts: PlanFacts) -> Dotted | None:
    """Give the CUDA to tell: the driver's; of an unknown driver the build's own, as the floor demands it."""
    if isinstance(machine.driver, Absent):
        return None
    return _speaks(machine, facts) or build.cuda


def _lowest(machine: Machine, facts: PlanFacts) -> ComputeCapability | None:
    """Give the lowest compute capability of all GPUs; None when any is unknown."""
    found = [gpu.compute_capability or _of_card(gpu.name, facts) for gpu in machine.gpus or ()]
    known = [capability for capability in found if capability is not None]
    return min(known) if known and len(known) == len(found) else None


def _of_card(name: str | None, facts: PlanFacts) -> ComputeCapability | None:
    card = facts.card(name) if name else None
    return card.capability if card else None
