"""Apply the changes that rules ask for to spec, machines and offers, to see what they would give."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

from envforge.model import Dotted, Driver, Interpreter, Machine, Needs, Offer, Spec, Versions
from envforge.resolve.constraints import Change, policy_of

Question = tuple[Spec, tuple[Machine, ...], tuple[Offer, ...]]


def applied(changes: Iterable[Change], question: Question) -> Question:
    """Give the question after all changes; of several drivers asked for, the newest is put in."""
    spec, machines, offers = question
    for change in sorted(changes, key=_newest_driver_last):
        if change.on == "spec":
            spec = _ON_SPEC[change.key](spec, change.to)
        elif change.on == "source":
            offers = tuple(offer for offer in offers if offer.source != change.key)
        else:
            machines = tuple(_on_machine(machine, change) for machine in machines)
    return spec, machines, offers


def _newest_driver_last(change: Change) -> tuple[int, ...]:
    return Dotted(change.to).parts if change.key == "driver" and change.to else ()


def _specifier(to: str | None) -> Versions | None:
    return None if to is None else Versions(to)


def _own_policy(spec: Spec) -> Literal["required", "preferred", "none"] | None:
    """Give the GPU policy without what a CUDA version implied."""
    return None if policy_of(spec) == "asked-by-cuda" else spec.gpu


_ON_SPEC: dict[str, Callable[[Spec, str | None], Spec]] = {
    "torch": lambda spec, to: replace(spec, torch=_specifier(to)),
    "cuda": lambda spec, to: replace(spec, cuda=_specifier(to) or "auto", gpu=_own_policy(spec)),
    "python": lambda spec, to: replace(spec, python=_specifier(to)),
    "gpu": lambda spec, to: replace(spec, gpu=to),  # type: ignore[arg-type]
    "sources": lambda spec, to: replace(spec, sources=(*spec.sources, *filter(None, [to]))),
    "with": lambda spec, to: replace(spec, companions=tuple(each for each in spec.companions if each != to)),
    "wheels": lambda spec, to: replace(
        spec, wheels=tuple(each for each in spec.wheels if each not in (to or "").splitlines())
    ),
    "needs": lambda spec, to: replace(spec, needs=Needs()),
    "toolkit": lambda spec, to: replace(spec, toolkit=False),
    "exclude-newer": lambda spec, to: replace(spec, exclude_newer=to),
}


def _on_machine(machine: Machine, change: Change) -> Machine:
    if change.to is None or (change.hosts and machine.name not in change.hosts):
        return machine
    return _ON_MACHINE[change.key](machine, change.to)


def _driver(machine: Machine, to: str) -> Machine:
    module = machine.driver.module if isinstance(machine.driver, Driver) else None
    return replace(machine, driver=Driver(version=Dotted(to), module=module))


def _module(machine: Machine, to: str) -> Machine:
    if not isinstance(machine.driver, Driver):
        return machine
    return replace(machine, driver=replace(machine.driver, module=to))  # type: ignore[arg-type]


def _without(machine: Machine, card: str) -> Machine:
    return replace(machine, gpus=tuple(gpu for gpu in machine.gpus or () if gpu.name != card))


def _python(machine: Machine, minor: str) -> Machine:
    added = Interpreter(path=f"python{minor}", version=Dotted(minor))
    return replace(machine, interpreters=(*(machine.interpreters or ()), added))


_ON_MACHINE: dict[str, Callable[[Machine, str], Machine]] = {
    "driver": _driver,
    "module": _module,
    "glibc": lambda machine, to: replace(machine, glibc=Dotted(to)),
    "gpus": _without,
    "python": _python,
}
