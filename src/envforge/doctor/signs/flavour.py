"""Driver branch and module flavour against the card's generation."""

from __future__ import annotations

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.facts import Architecture
from envforge.model import Dotted, Evidence

SPARED = "advisory"
OPEN_SENTENCE = r"not supported by open\s+nvidia\.ko"
CLOSED_SENTENCE = r"requires use of the NVIDIA open kernel modules"
LEGACY_SENTENCE = r"supported through the NVIDIA \d+\.xx Legacy drivers"
RELEASE_SENTENCE = r"not supported by the\s+NVIDIA [\d.]+\s+driver release"


def unserved(p: Chart) -> list[tuple[r.Device, Architecture]]:
    """Give the cards that NVML does not list, with what is known of them."""
    if r.is_wsl(p) or r.in_container(p):
        return []
    if p.maybe("pci") is None:
        p.reading("dmesg")
        return []
    listed = len(r.healthy_devices(p)) if p.maybe("nvml", "init", "code") == 0 else 0
    cards = r.architectures(p)
    return cards if listed < len(r.gpus_on_bus(p)) else []


def installed(p: Chart) -> Dotted | None:
    """Give the version of the module that runs, else of the one on disk."""
    version = r.loaded_version(p) if p.maybe("proc_driver_nvidia") else None
    disk = p.maybe("modules", "on_disk", "version")
    return version or (Dotted(str(disk)) if disk else None)


def _sure(p: Chart, sentence: str, card: r.Device | None, **values: object) -> Evidence:
    """Fact and kernel log agree, or one of them speaks; a neighbour that works makes it weigh less."""
    line = p.said(sentence) if p.maybe("dmesg") else None
    severity = SPARED if r.serves(p) else None
    words = [f"{name} {item}" for name, item in values.items() if item]
    known = {"gpu": r.label(card), **values} if card else values
    say = r.certain if line or (card and sentence != RELEASE_SENTENCE) else r.likely
    return say(line or "", ", ".join(words), severity=severity, **known)


def _unread(p: Chart) -> bool:
    """Tell whether nothing says which flavour the module has; the kernel's own sentence decides then."""
    return not p.maybe("proc_driver_nvidia", "version") and not p.maybe("modules", "on_disk", "license")


def _said(p: Chart, sentence: str) -> bool:
    return p.said(sentence) is not None if p.maybe("dmesg") else False


@sign("open-module-on-pre-turing")
def open_on_old(p: Chart) -> Evidence | None:
    if p.maybe("nvml", "init", "code") == 0 and not _said(p, OPEN_SENTENCE) and r.serves(p) and not unserved(p):
        return None
    old = [pair for pair in unserved(p) if pair[1].module == "proprietary"]
    if old and not (_said(p, OPEN_SENTENCE) and _unread(p)) and r.flavour(p) == "open":
        return _sure(p, OPEN_SENTENCE, old[0][0], architecture=old[0][1].name, flavour="open")
    return _sure(p, OPEN_SENTENCE, None) if _said(p, OPEN_SENTENCE) else None


@sign("proprietary-module-on-blackwell")
def proprietary_on_new(p: Chart) -> Evidence | None:
    new = [pair for pair in unserved(p) if pair[1].module == "open"]
    if new and not (_said(p, CLOSED_SENTENCE) and _unread(p)) and r.flavour(p) == "proprietary":
        return _sure(p, CLOSED_SENTENCE, new[0][0], architecture=new[0][1].name, flavour="proprietary")
    return _sure(p, CLOSED_SENTENCE, None) if _said(p, CLOSED_SENTENCE) else None


@sign("gpu-dropped-by-driver-branch")
def branch_ended(p: Chart) -> Evidence | None:
    driver, cards = installed(p), unserved(p)
    old = [(row, its) for row, its in cards if driver and its.last_driver and driver.major > its.last_driver.major]
    if old:
        row, its = old[0]
        return _sure(p, LEGACY_SENTENCE, row, architecture=its.name, last=its.last_driver, installed=driver)
    return _sure(p, LEGACY_SENTENCE, None) if _said(p, LEGACY_SENTENCE) else None


@sign("gpu-too-new-for-driver")
def branch_too_early(p: Chart) -> Evidence | None:
    driver, cards = installed(p), unserved(p)
    new = [(row, its) for row, its in cards if driver and its.first_driver and driver < its.first_driver]
    if new:
        row, its = new[0]
        return _sure(p, RELEASE_SENTENCE, row, architecture=its.name, first=its.first_driver, installed=driver)
    return _sure(p, RELEASE_SENTENCE, None) if _said(p, RELEASE_SENTENCE) else None
