"""A machine, as one line and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from envforge.model import ABSENT, Gpu, Machine
from envforge.report.page import Line, Page, Span, join, row, title

LABELS = 13
GIB = 1 << 30


def machine_line(machine: Machine) -> tuple[Span, ...]:
    """Name a machine and what decides: ``cluster  driver 535.104.05, NVIDIA A100-SXM4-80GB, glibc 2.28``."""
    parts = [driver_text(machine), gpus_text(machine)]
    if machine.glibc not in {None, ABSENT}:
        parts.append(f"glibc {machine.glibc}")
    if machine.subdir:
        parts.append(machine.subdir)
    return (("strong", machine.name), ("quiet", f"  {', '.join(parts)}"))


def driver_text(machine: Machine) -> str:
    """Say which driver there is, or that there is none, or that it could not be told."""
    if machine.driver is None:
        return "driver unknown"
    return "no driver" if machine.driver is ABSENT else f"driver {machine.driver.version}"


def gpus_text(machine: Machine) -> str:
    """Count the GPUs by name."""
    if machine.gpus is None:
        return "GPUs unknown"
    names = Counter(gpu.name or "a GPU without a name" for gpu in machine.gpus)
    return ", ".join(f"{count} × {name}" if count > 1 else name for name, count in names.items()) or "no GPU"


def machine_page(machine: Machine, *, verbose: bool = False) -> Page:
    """Say what is known of a machine; ``verbose`` adds what every probe answered."""
    return join((title(machine.name),), _system(machine), _gpus(machine), _unread(machine, verbose))


def _system(machine: Machine) -> Iterator[Line]:
    yield row("driver", driver_text(machine).removeprefix("driver "), width=LABELS)
    if machine.driver is not None and machine.driver is not ABSENT:
        spoken = machine.cuda_version
        yield row("speaks CUDA", "none" if spoken is ABSENT else str(spoken or "unknown"), width=LABELS)
        yield row("module", machine.driver.module or "unknown", width=LABELS)
    known = [("system", machine.os), ("subdir", machine.subdir), ("cpu", machine.cpu)]
    known += [("memory", None if machine.memory_bytes is None else f"{machine.memory_bytes / GIB:.0f} GiB")]
    known += [("platform", machine.platform), ("container", machine.container)]
    yield from (row(label, text, width=LABELS) for label, text in known if text)
    yield row("glibc", "none" if machine.glibc is ABSENT else str(machine.glibc or "unknown"), width=LABELS)
    for name, text in stated(machine).items():
        yield row("stated", f"`{name}={text}`, in the place of what was found", width=LABELS)
    if machine.interpreters:
        yield row("pythons", ", ".join(str(each.version) for each in machine.interpreters), width=LABELS)


def stated(machine: Machine) -> Mapping[str, str]:
    """Give the variables of conda that the user set to state what a machine has, all of them honoured."""
    reading = machine.reading("overrides")
    return reading.value if reading and isinstance(reading.value, Mapping) else {}


def _gpus(machine: Machine) -> Iterator[Line]:
    if not machine.gpus:
        yield row("GPUs", "none" if machine.gpus == () else "unknown", width=LABELS)
    for gpu in machine.gpus or ():
        yield row(f"GPU {gpu.index}", _gpu_text(gpu), width=LABELS)


def _gpu_text(gpu: Gpu) -> str:
    memory = None if gpu.memory_bytes is None else f"{gpu.memory_bytes / GIB:.0f} GiB"
    capability = gpu.compute_capability and f"compute capability {gpu.compute_capability}"
    mig = "MIG on" if gpu.mig else None
    return ", ".join(part for part in (gpu.name or "unnamed", memory, capability, mig) if part)


def _unread(machine: Machine, verbose: bool) -> Iterator[Line]:
    failed = [each for each in machine.readings if each.error]
    if not verbose and failed:
        names = ", ".join(each.source for each in failed)
        yield row("not read", f"{names} (`-v` says why)", width=LABELS)
    for each in failed if verbose else ():
        yield row(each.source, str(each.error), width=LABELS)
