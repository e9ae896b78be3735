"""The driver's own words, before torch hides them, and whether the build has code for the card."""

import ctypes
import os
import re

from envforge_smoke.needs import numbers
from envforge_smoke.origin import cpu_build_code
from envforge_smoke.outcomes import Failed, Noted, Skipped

MODULE = "/proc/driver/nvidia"
CONTAINERS = ("/.dockerenv", "/run/.containerenv", "/singularity")


def load_libcuda():
    """Load the driver's library as torch does."""
    return ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")


def cuda_of(lib):
    """The newest CUDA that the driver speaks, as a pair."""
    version = ctypes.c_int(0)
    lib.cuDriverGetVersion(ctypes.byref(version))
    return version.value // 1000, version.value % 1000 // 10


def free_bytes(lib):
    """Free memory of the card whose context is current in this thread."""
    free, whole = ctypes.c_size_t(), ctypes.c_size_t()
    code = lib.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(whole))
    if code:
        raise RuntimeError("`cuMemGetInfo` answers %d" % code)
    return free.value


def bus_id(lib):
    """The bus address of the first visible card, as NVML takes it; None where the driver gives none."""
    text, device = ctypes.create_string_buffer(32), ctypes.c_int(0)
    try:
        code = lib.cuDeviceGet(ctypes.byref(device), 0) or lib.cuDeviceGetPCIBusId(text, len(text), device)
    except AttributeError:
        return None
    return None if code else text.value


def driver_init(bench):
    """``cuInit`` answers 0 and the driver is new enough for the CUDA of this torch."""
    built, wanted = bench.torch.version.cuda, bench.order.get("want_cuda")
    if built is None:
        if wanted and not bench.hip:
            raise Failed(cpu_build_code(), "torch %s is a CPU build" % bench.torch.__version__)
        raise Skipped("S_KIND", "torch is not a CUDA build")
    lib = _loaded(wanted)
    code = lib.cuInit(0)
    speaks, runtime = cuda_of(lib), numbers(built)[:2]
    measured = {"cuinit": code, "driver_cuda": "%d.%d" % speaks, "torch_cuda": built}
    if code == 100 and not wanted:
        raise Skipped("S_NO_DRIVER", "no GPU is visible here", measured)
    if code:
        no_uvm = "_NO_UVM" if code == 999 and not os.path.exists("/dev/nvidia-uvm") else ""
        raise Failed("E_CUINIT_%d%s" % (code, no_uvm), "`cuInit` answers %d" % code, measured)
    if speaks[0] < runtime[0]:
        detail = "the driver speaks CUDA %d.%d, this torch needs %d.x" % (speaks + runtime[:1])
        raise Failed("E_DRIVER_OLD", detail, measured)
    measured["native"] = speaks >= runtime
    return measured


def _loaded(wanted):
    try:
        return load_libcuda()
    except OSError as error:
        if wanted or os.path.exists(MODULE):
            bare = not any(os.path.exists(sign) for sign in (MODULE, *CONTAINERS))
            raise Failed("E_NO_DRIVER" if bare else "E_NO_LIBCUDA", "libcuda does not load: %s" % error) from error
        raise Skipped("S_NO_DRIVER", "no NVIDIA driver here, so this CUDA build runs on the CPU") from error


def arch_verdict(capability, arch_list):
    """How a build serves a card: ``(exact | minor | ptx | None, entry)``. Pure.

    ``sm_90a`` serves 9.0 alone; ``sm_100f`` its family; PTX any newer card.
    """
    want, found = capability[0] * 10 + capability[1], []
    for entry in arch_list:
        match = re.match(r"^(sm|compute)_(\d+)([af]?)$", entry)
        if match:
            how = _how(match.group(1), int(match.group(2)), match.group(3), want)
            found += [(how, int(match.group(2)), entry)] if how else []
    for how in ("exact", "minor", "ptx"):
        entries = [(number, entry) for kind, number, entry in found if kind == how]
        if entries:
            return how, max(entries)[1]
    return None, None


def _how(kind, number, suffix, want):
    if kind == "sm" and number == want:
        return "exact"
    if kind == "sm" and suffix != "a" and number // 10 == want // 10 and number < want:
        return "minor"
    return "ptx" if kind == "compute" and not suffix and number <= want else None


def arch_match(bench):
    """The build holds machine code for this card, or PTX that its driver can compile."""
    archs = bench.torch.cuda.get_arch_list()
    how, entry = arch_verdict(bench.capability, archs)
    name = "sm_%d%d" % bench.capability
    measured = {"device": name, "arch_list": archs, "match": how, "entry": entry}
    if how is None:
        older = all(_number(arch) > bench.capability[0] * 10 + bench.capability[1] for arch in archs)
        code = "E_ARCH_DROPPED" if older else "E_ARCH"
        raise Failed(code, "no code for %s in this build (%s)" % (name, " ".join(archs)), measured)
    if how == "ptx":
        raise Noted(
            "W_ARCH_PTX", "only PTX (%s) serves %s: the first start compiles for minutes" % (entry, name), measured
        )
    return measured


def _number(arch):
    return int(re.sub(r"\D", "", arch) or 0)
