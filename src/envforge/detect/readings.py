"""Ask the host: one `Reading` per key of a recording. Read only, unprivileged, calm where something is missing.

NVML, libcuda, the loader and programs are asked in children with a deadline, side by side, while this process reads
files. A value of None without an error means: looked, and not there. An error means: could not tell, or not
all of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envforge.detect import (
    around,
    container,
    devices,
    environ,
    kernel,
    loader,
    memory,
    messages,
    packages,
    pcie,
    programs,
    system,
)
from envforge.detect.host import Host
from envforge.detect.libcuda import ask_libcuda, join_cuda
from envforge.detect.loader import ask_loader, join_dlopen, join_libraries
from envforge.detect.modinfo import ask_modinfo, join_module
from envforge.detect.nvml import ask_nvml, join_conf_compute, join_nvml
from envforge.errors import EngineFailed
from envforge.model import Reading
from envforge.run import Child, Told

Look = Callable[[Host], Any]
FILES: Mapping[str, Look] = {
    "platform": system.platform,
    "os_release": system.os_release,
    "kernel": kernel.kernel,
    "pci": devices.pci,
    "pcie": pcie.pcie,
    "modules": kernel.modules,
    "module_params": kernel.module_params,
    "modprobe_d": kernel.modprobe_d,
    "proc_driver_nvidia": kernel.proc_driver_nvidia,
    "proc_devices": kernel.proc_devices,
    "dev_nodes": devices.dev_nodes,
    "ld_so_conf_d": loader.ld_so_conf_d,
    "cpu": system.cpu,
    "memory": memory.memory,
    "env": environ.env,
    "overrides": environ.overrides,
    "container": container.container,
    "cdi": container.cdi,
    "limits": system.limits,
    "mounts": system.mounts,
    "tegra": system.tegra,
    "wsl": system.wsl,
    "user": devices.user,
    "which": system.which,
    "selinux": around.selinux,
    "services": around.services,
    "packages": packages.packages,
    "net": around.net,
    "power": around.power,
    "prime_select": around.prime_select,
    "thunderbolt": around.thunderbolt,
    "firmware": around.firmware,
    "nvswitch": around.nvswitch,
    "docker": around.docker,
    "dmesg": messages.dmesg,
}
CHILDREN: Mapping[str, tuple[str, ...]] = {
    "nvml": ("nvml", "conf_compute"),
    "cuda": ("cuda",),
    "cuda-bare": ("cuda",),
    "loader": ("libraries", "dlopen"),
    "nvidia_smi": ("nvidia_smi",),
    "ldconfig": ("ldconfig",),
    "toolchain": ("toolchain",),
    "modinfo": ("modules",),
    "journal": ("dmesg",),
    "rpm": ("packages",),
}
DRIVERS = ("nvml", "cuda", "cuda-bare")  # slow to start where many GPUs have no persistence mode
COMPLETED_BY = {"modules": "modinfo", "dmesg": "journal", "packages": "rpm"}
MACHINE_SOURCES = (
    *(
        "platform",
        "os_release",
        "kernel",
        "pci",
        "modules",
        "proc_driver_nvidia",
        "dev_nodes",
        "cpu",
        "memory",
        "overrides",
    ),
    *("container", "tegra", "nvml", "cuda"),
)
SOURCES = (*FILES, "nvml", "conf_compute", "cuda", "libraries", "dlopen", "nvidia_smi", "ldconfig", "toolchain")


def take_readings(
    environ: Mapping[str, str],
    only: tuple[str, ...] | None = None,
    *,
    root: Path = Path("/"),
    deadline_s: float = 2.5,
    patience_s: float = 6.0,
) -> tuple[Reading, ...]:
    """Read the host, or only some keys of it; ``root`` is the directory that stands for it.

    `MACHINE_SOURCES` are those that `assemble` looks at; the others are for recordings and for the doctor.

    Takes at most about ``deadline_s`` and half a second, whatever hangs; a driver that is slow to start, and still
    gets somewhere, has ``patience_s``. Never raises for what the host is like.
    """
    host = Host(root=root, environ=environ, deadline_s=deadline_s)
    wanted = SOURCES if only is None else only
    children = {name: Child(work) for name, work in _works(host) if set(CHILDREN[name]) & set(wanted)}
    try:
        files = [_read(name, look, host) for name, look in FILES.items() if name in wanted]
        patience = dict.fromkeys(DRIVERS, patience_s)
        told = {name: child.told(deadline_s, patience_s=patience.get(name, 0.0)) for name, child in children.items()}
    finally:
        for child in children.values():
            child.end()
    asked = [reading for reading in _asked(told, host) if reading.source in wanted]
    whole = [_completed(reading, told) for reading in files]
    return tuple(sorted((*whole, *asked), key=lambda reading: SOURCES.index(reading.source)))


def _read(name: str, look: Look, host: Host) -> Reading:
    began = time.monotonic()
    try:
        found = look(host)
    except Exception as error:
        return Reading(source=name, error=_reason(error), took_s=time.monotonic() - began)
    return Reading(source=name, value=found, took_s=time.monotonic() - began)


def _completed(reading: Reading, told: Mapping[str, Told]) -> Reading:
    """Put into a reading of files what a program told of the same; where the files are closed, only that stands."""
    name = COMPLETED_BY.get(reading.source, "")
    sent = told[name].sent if name in told else ()
    if not sent or not sent[0]:
        return reading
    if reading.source == "modules":
        return replace(reading, value=join_module(reading.value, sent))
    return reading if reading.error is None else replace(reading, value=sent[0], error=None)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.strerror}: `{error.filename}`"
    return str(error) or type(error).__name__


def _works(host: Host) -> Iterator[tuple[str, Callable[[Callable[[Any], None]], None]]]:
    """Give the probes that run in children."""
    yield "nvml", _quiet(ask_nvml)
    yield "cuda", _quiet(ask_libcuda)
    if "CUDA_VISIBLE_DEVICES" in host.environ:
        yield "cuda-bare", _quiet(lambda send: ask_libcuda(send, without=("CUDA_VISIBLE_DEVICES",)))
    yield "loader", _quiet(ask_loader)
    yield "nvidia_smi", lambda send: programs.ask_smi(send, host)
    yield "ldconfig", lambda send: programs.ask_ldconfig(send, host)
    yield "modinfo", lambda send: ask_modinfo(send, host)
    yield "journal", lambda send: messages.ask_journal(send, host)
    yield "rpm", lambda send: packages.ask_rpm(send, host)
    yield "toolchain", lambda send: programs.ask_toolchain(send, host)


def _quiet(work: Callable[[Callable[[Any], None]], None]) -> Callable[[Callable[[Any], None]], None]:
    """Keep what libraries print when they fail away from our output."""

    def quiet(send: Callable[[Any], None]) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(nowhere, number)
        work(send)

    return quiet


def _asked(told: Mapping[str, Told], host: Host) -> Iterator[Reading]:
    if one := told.get("nvml"):
        yield _reading("nvml", join_nvml(one.sent), one)
        yield _reading("conf_compute", join_conf_compute(one.sent), one)
    if one := told.get("cuda"):
        bare = told["cuda-bare"].sent if "cuda-bare" in told else ()
        yield _reading("cuda", join_cuda(one.sent, bare), one)
    if one := told.get("loader"):
        yield _reading("libraries", join_libraries(one.sent, host), one)
        yield _reading("dlopen", join_dlopen(one.sent), one)
    for name in ("nvidia_smi", "ldconfig", "toolchain"):
        if one := told.get(name):
            yield _reading(name, one.sent[0] if one.sent else None, one)


def _reading(name: str, found: Any, told: Told) -> Reading:
    error = None if told.error is None else _how(told.error, told)
    return Reading(source=name, value=found, error=error, took_s=told.took_s)


def _how(error: BaseException, told: Told) -> str:
    """Say what was seen: a hang is a probe that gets nowhere, a slow one was at work until it was ended."""
    if isinstance(error.__cause__, TimeoutError):
        state = f" (state {told.pulse.state})" if told.pulse and told.pulse.state else ""
        if told.pulse and told.pulse.moves:
            return f"the probe was still at work{state} after {told.took_s:.1f} s and was ended: slow, or it hangs"
        return f"the probe hung{state} and was ended at its deadline"
    if isinstance(error, EngineFailed):
        return str(error).replace("the worker", "the probe")
    return f"{type(error).__name__}: {error}"
