"""The driver: kernel module, libraries, device nodes, NVML's and libcuda's return codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from envforge.doctor.chart import Chart, Missing
from envforge.model import Dotted

NOT_FOUND = 12  # what NVML is said to answer where its library cannot be opened
HUNG = re.compile(r"deadline|timed? ?out|\bhang|\bhung\b|D state|uninterruptible", re.IGNORECASE)


def nvml_code(p: Chart) -> int | None:
    """Give what `nvmlInit` returned; None when it hung, died, or had no library to load.

    Where NVML was not asked, what nvidia-smi said tells its code.
    """
    if p.maybe("nvml") is None:
        return _by_words(p, "nvml", "nvidia_smi")
    code = p.need("nvml", "init", "code")
    return code if isinstance(code, int) else None


def _by_words(p: Chart, kind: str, source: str) -> int:
    for words, code in p.known["messages"][kind]:
        if p.said(words, source):
            return int(code)
    raise Missing(kind)


def nvml_hangs(p: Chart) -> str | None:
    """Give the words of a probe that passed its deadline: what it said, or why its reading is not whole."""
    for path in (("nvml", "init", "name"), ("nvidia_smi", "text"), ("cuda", "cuInit", "name")):
        if HUNG.search(found := str(p.maybe(*path) or "")):
            return f"{'.'.join(path)}: {found}"
    for source in ("nvml", "cuda", "nvidia_smi"):
        reading = p.patient.reading(source)
        if reading and reading.error and HUNG.search(reading.error):
            return f"{source}: {reading.error}"
    return None


def cuinit(p: Chart) -> int | None:
    """Give what `cuInit` returned; None when libcuda could not be opened or the probe hung.

    The runtime's answer counts where it is worse; where nobody asked, torch's message tells the code.
    """
    if p.maybe("cuda", "cuInit") is None:
        return _by_words(p, "cuda", "env_probe")
    code, runtime = p.need("cuda", "cuInit", "code"), p.maybe("cuda", "cudaGetDeviceCount")
    if code == 0 and isinstance(runtime, int) and str(runtime) in p.known["cuda_codes"]:
        return runtime
    return code if isinstance(code, int) else None


def ctx_create(p: Chart) -> int | None:
    """Give what making a context returned, from libcuda or from the message of torch's first kernel."""
    code = p.maybe("cuda", "ctx_create", "code")
    return code if isinstance(code, int) else None


def cuda_code(p: Chart, *codes: int) -> str | None:
    """Give where libcuda or the runtime returned one of these codes: a context, a launch, a device count."""
    for path, item in p.leaves:
        told = path.startswith("cuda.") and path.endswith(("code", "Count")) and "ab_tests" not in path
        if told and isinstance(item, int) and item in codes:
            return f"{path}: {item}"
    return None


def cuda_driver(p: Chart) -> Dotted | None:
    """Give the newest CUDA that this driver speaks; None when nobody could tell."""
    for path in (("cuda", "driver_cuda"), ("nvml", "cuda_version")):
        if number := _number(p.maybe(*path)):
            return number
    found = p.told(r"found version (\d{4,6})") if p.maybe("env_probe") else None
    return Dotted(f"{int(found[1]) // 1000}.{int(found[1]) % 1000 // 10}") if found else None


def loaded_version(p: Chart) -> Dotted | None:
    """Give the version of the kernel module that runs; None when none is loaded.

    From ``NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Tue ...``; the GCC line below has a number too.
    """
    text = p.need("proc_driver_nvidia", "version")
    first = str(text or "").splitlines()[:1]
    match = re.search(r"(?:Module|for \w+)\s+(\d+\.\d+(?:\.\d+)?)", first[0]) if first else None
    return Dotted(match[1]) if match else None


def module_on_disk(p: Chart) -> dict[str, Any] | None:
    """Give ``version``, ``license``, ``signer``, ``for_kernels`` of the module that `modprobe` would take."""
    found = p.need("modules", "on_disk")
    return dict(found) if isinstance(found, Mapping) and found else None


def loaded_modules(p: Chart) -> set[str]:
    return {word.replace("-", "_") for word in p.words("modules", "loaded")}


def flavour(p: Chart) -> str | None:
    """Give ``open`` or ``proprietary``: of the loaded module, else of the one on disk."""
    text = str(p.maybe("proc_driver_nvidia", "version") or "")
    if text:
        return "open" if "Open Kernel Module" in text else "proprietary"
    licence = str(p.maybe("modules", "on_disk", "license") or "")
    if not licence:
        raise Missing("modules.on_disk.license")
    return "open" if "MIT" in licence else "proprietary"


def module_params(p: Chart, name: str) -> str | None:
    """Give a module parameter by the end of its name; None when it is not listed."""
    found = p.need("module_params")
    rows = found.items() if isinstance(found, Mapping) else ()
    return next((str(item) for key, item in rows if str(key).split(".")[-1] == name), None)


def nodes(p: Chart) -> dict[str, dict[str, Any]]:
    """Give the device nodes by path; raises Missing where one of them has none."""
    rows = p.entries("dev_nodes")
    if any("path" not in node for node in rows):
        raise Missing("dev_nodes")
    return {str(node["path"]): node for node in rows}


def refused(p: Chart, errno: str) -> list[str]:
    """Give the nvidia nodes whose open() fails with this errno; those of MIG have rules of their own."""
    own = {path: node for path, node in nodes(p).items() if "nvidia" in path and "nvidia-cap" not in path}
    return [path for path, node in own.items() if str(node.get("open")) == errno]


def library(p: Chart, soname: str) -> str | None:
    """Give the file that the loader takes for a soname; None when it takes none.

    A library that is not listed where others are was not looked for, unless a probe found that it does not open.
    """
    found = p.need("libraries")
    if not isinstance(found, Mapping) or not found:
        return None
    if soname not in found and not _does_not_open(p, soname):
        raise Missing(f"libraries.{soname}")
    return str(found[soname]) if found.get(soname) else None


def _does_not_open(p: Chart, soname: str) -> bool:
    if soname == "libcuda.so.1":
        return p.maybe("cuda", "cuInit", "code", default=0) is None
    return soname == "libnvidia-ml.so.1" and p.maybe("nvml", "init", "code") == NOT_FOUND


def library_version(p: Chart, soname: str) -> Dotted | None:
    """Give the version in the name of the file that the loader takes."""
    return _suffix(library(p, soname))


def _suffix(path: str | None) -> Dotted | None:
    match = re.search(r"\.so\.(\d+\.\d+(?:\.\d+)?)$", path or "")
    return Dotted(match[1]) if match and "tegra" not in str(path) else None


def driver_expected(p: Chart) -> str | None:
    """Give the reason to expect a GPU here: a driver that somebody installed, or that looked for one."""
    disk = p.maybe("modules", "on_disk", "version")
    if disk:
        return f"kernel module {disk} is installed"
    if p.maybe("nvml", "init", "code") == 9:
        return "NVML is installed and finds no loaded driver"
    return (
        "the kernel says that no NVIDIA GPU was found" if p.maybe("dmesg") and p.said("No NVIDIA GPU found") else None
    )


def _number(item: Any) -> Dotted | None:
    match = re.fullmatch(r"\d+(\.\d+)*", str(item or ""))
    return Dotted(match[0]) if match else None
