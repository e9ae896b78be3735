"""The doctor's chapters: which rules belong together, what each is about on this patient, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from envforge.model import ABSENT, Answer, Finding, Patient, Rule, Skipped, value
from envforge.report.machine import driver_text, gpus_text
from envforge.report.page import Style

AREAS: Final[dict[str, tuple[str, ...]]] = {
    "Host": ("place", "windows", "virtual", "resources"),
    "GPUs": ("bus", "hardware", "fabric", "multi-gpu"),
    "Driver": ("module", "driver", "permissions"),
    "Container": ("container",),
    "Environment": ("variables", "build", "packages", "libraries", "toolchain"),
}
WELL: Final[tuple[Style, str]] = ("good", "[ok]")
UNKNOWN: Final[tuple[Style, str]] = ("warn", "[?]")
NOTED: Final[tuple[Style, str]] = ("warn", "[!]")
UNLOOKED = "not looked into; name one, or give `--python PATH`"


@value
class Section:
    """One chapter: how it stands when it has no finding, what it is about, and its findings, causes first."""

    name: str
    mark: tuple[Style, str]
    about: str
    findings: tuple[Finding, ...]


def section_of(rule: Rule) -> str:
    """Give the name of the chapter that a rule belongs to."""
    return next((name for name, areas in AREAS.items() if rule.area in areas), "Host")


def sections(patient: Patient, rules: Sequence[Rule], answers: Sequence[Answer]) -> tuple[Section, ...]:
    """Give the chapters of which a rule was chosen; one whose rules could all not be asked is unknown."""
    skipped = {each.id for each in answers if isinstance(each, Skipped)}
    by_name: dict[str, list[str]] = {name: [] for name in AREAS}
    for rule in rules:
        by_name[section_of(rule)].append(rule.id)
    found = {each.id: each for each in answers if isinstance(each, Finding)}
    return tuple(
        Section(
            name=name,
            mark=_mark(name, patient, not set(ids) - skipped),
            about=ABOUT[name](patient),
            findings=tuple(each for each in found.values() if each.id in ids),
        )
        for name, ids in by_name.items()
        if ids
    )


def _mark(name: str, patient: Patient, blind: bool) -> tuple[Style, str]:
    if blind:
        return UNKNOWN
    if name == "GPUs":
        return UNKNOWN if patient.machine.gpus is None else WELL if patient.machine.gpus else NOTED
    if name == "Driver" and patient.machine.driver is None and patient.machine.cuda_version is None:
        return UNKNOWN
    if name != "Environment":
        return WELL
    inside = _inside(patient)
    return UNKNOWN if inside is None else WELL if inside.get("torch") else NOTED


def _inside(patient: Patient) -> Mapping[str, Any] | None:
    reading = patient.reading("env_probe")
    return reading.value if reading and isinstance(reading.value, Mapping) else None


def _host(patient: Patient) -> str:
    machine, kernel = patient.machine, patient.reading("kernel")
    release = kernel.value.get("release") if kernel and isinstance(kernel.value, Mapping) else None
    parts = (machine.os, machine.platform, f"kernel {release}" if release else None)
    return ", ".join(part for part in parts if part) or "unknown"


def _driver(patient: Patient) -> str:
    spoken = patient.machine.cuda_version
    speaks = f", speaks CUDA {spoken}" if spoken not in {None, ABSENT} else ""
    return driver_text(patient.machine).removeprefix("driver ") + speaks


def _container(patient: Patient) -> str:
    machine = patient.machine
    if machine.container or machine.platform == "container":
        return machine.container or "inside one"
    return "not in one" if machine.platform else "unknown"


def _environment(patient: Patient) -> str:
    inside = _inside(patient)
    if inside is None:
        return UNLOOKED
    torch = inside.get("torch")
    python = f"Python {inside['python']}" if inside.get("python") else "a Python"
    place = f" in `{inside['prefix']}`" if inside.get("prefix") else ""
    if not isinstance(torch, Mapping) or not torch:
        return f"{python}{place}: torch is not installed, so nothing was proven about it"
    cuda = torch.get("cuda")
    return f"torch {torch.get('version')} ({f'CUDA {cuda}' if cuda else 'without CUDA'}), {python}{place}"


ABOUT: Final = {
    "Host": _host,
    "GPUs": lambda patient: gpus_text(patient.machine).removeprefix("GPUs "),
    "Driver": _driver,
    "Container": _container,
    "Environment": _environment,
}
