"""The torch build: has it CUDA, and code for the cards that are here?"""

from __future__ import annotations

import re
from collections.abc import Callable

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import ComputeCapability, Evidence, Severity

NO_IMAGE = r"no kernel image is available"
WARNING = (
    r"is not compatible with the current PyTorch|does not include kernels for this GPU|Minimum and Maximum cuda cap"
)


def gpu_here(p: Chart) -> bool:
    """Tell whether a GPU of this machine could be used; the bus proves nothing in a container."""
    if p.maybe("nvml", "devices") is not None:
        return bool(r.healthy_devices(p))
    return bool(p.maybe("pci")) and bool(r.gpus_on_bus(p)) and not r.in_container(p)


def without_cuda(p: Chart) -> bool:
    torch = r.torch_version(p)
    return torch is not None and not r.torch_cuda(p) and not p.maybe("env_probe", "torch", "hip")


@sign("torch-rocm-build-on-nvidia")
def built_for_rocm(p: Chart) -> Evidence | None:
    version = str(p.need("env_probe", "torch", "version") if p.need("env_probe", "torch") else "")
    hip = p.maybe("env_probe", "torch", "hip") or ("yes" if "+rocm" in version else None)
    if not hip or r.torch_cuda(p) or not gpu_here(p):
        return None
    return r.certain(f"torch {version}, hip {hip}", hip=hip)


@sign("torch-cpu-build-conda")
def conda_record_says_cpu(p: Chart) -> Evidence | None:
    record = r.conda_record(p, "pytorch") or r.conda_record(p, "libtorch") or ""
    named = next((name for name in ("cpuonly", "pytorch-cpu") if r.conda_record(p, name)), "")
    named = named or ("pytorch-mutex" if "cpu" in (r.conda_record(p, "pytorch-mutex") or "") else "")
    if not without_cuda(p) or not record or not (gpu_here(p) or r.scheduler(p) or p.maybe("conda_info")):
        return None
    if not named and not re.search(r"cpu", record):
        return None
    severity = None if gpu_here(p) else "advisory"
    return r.certain(f"pytorch {record}", named, record=f"pytorch {record}", severity=severity)


@sign("torch-cpu-build-pip")
def wheel_without_cuda(p: Chart) -> Evidence | None:
    if not without_cuda(p) or r.is_tegra(p) or not gpu_here(p):
        return None
    if p.maybe("env_probe", "conda_meta") and conda_record_says_cpu(p):
        return None
    return _from_a_wheel(p)("torch.version.cuda is None", str(p.maybe("env_probe", "installer") or ""))


def _from_a_wheel(p: Chart) -> Callable[..., Evidence]:
    """Say how sure it is that pip or uv installed this torch: its label, or what else is listed, tells."""
    if "cpu" in str(r.torch_version(p)) or p.maybe("env_probe", "installer"):
        return r.certain
    listed = "torch" in (r.packages(p) if p.maybe("env_probe", "packages") else ())
    records = p.maybe("env_probe", "conda_meta")
    return r.likely if listed or (records and "torch" not in str(records)) else r.possible


@sign("jetson-generic-wheel")
def board_and_general_build(p: Chart) -> Evidence | None:
    if not r.is_tegra(p) or not p.need("env_probe", "torch"):
        return None
    release = str(p.maybe("tegra", "nv_tegra_release") or "")
    major = re.search(r"R(\d+)", release)
    old = major is None or int(major[1]) < p.known["sbsa_release"]
    bare = without_cuda(p)
    if not bare and (not old or r.kernel_ran(p) or p.maybe("env_probe", "is_available") is not False):
        return None
    model = p.maybe("tegra", "model") or "this board"
    built = " without CUDA" if bare else f" for CUDA {r.torch_cuda(p)}"
    return r.likely(f"torch{built}", f"{model} {release}", model=model, release=release or "L4T", built=built)


def _uncovered(p: Chart) -> list[tuple[str, ComputeCapability]]:
    """Give the cards that this build holds no code for; none when a kernel ran."""
    flags, cuda = r.arch_flags(p), r.torch_cuda(p)
    if r.kernel_ran(p) or not cuda:
        return []
    tegra = r.is_tegra(p)
    return [(name, cc) for name, cc in r.capabilities(p) if not p.known.executes(flags, cc, cuda, tegra)]


def _range(p: Chart) -> tuple[ComputeCapability, ComputeCapability]:
    found = [ComputeCapability.parse(flag) for flag in r.arch_flags(p) if re.fullmatch(r"(sm|compute)_\d+[af]?", flag)]
    return min(found), max(found)


def _no_code(p: Chart, name: str, cc: ComputeCapability) -> Evidence:
    line = p.heard(NO_IMAGE)
    spared = not line and len(_uncovered(p)) < len(r.capabilities(p))
    low, high = _range(p)
    flags = ", ".join(r.arch_flags(p))
    words = {"gpu": name, "sm": cc.sm.removeprefix("sm_"), "newest": high.sm, "oldest": low.sm, "flags": flags}
    proof = "; a kernel failed on it" if line else ""
    severity = "advisory" if spared else None
    say = r.certain if line else r.likely
    return say(f"{name}: {cc}", f"arch flags {flags}", line or "", severity=severity, proof=proof, **words)


@sign("torch-arch-too-old-for-gpu")
def newer_than_the_build(p: Chart) -> Evidence | None:
    for name, cc in _uncovered(p):
        if cc > _range(p)[0] and not r.is_tegra(p):
            return _no_code(p, name, cc)
    return None


@sign("torch-arch-dropped-for-old-gpu")
def older_than_the_build(p: Chart) -> Evidence | None:
    for name, cc in _uncovered(p):
        if cc < _range(p)[0] and not r.is_tegra(p):
            return _no_code(p, name, cc)
    return None


@sign("torch-arch-too-old-for-gpu")
def told_newer(p: Chart) -> Evidence | None:
    return _told(p, newer=True)


@sign("torch-arch-dropped-for-old-gpu")
def told_older(p: Chart) -> Evidence | None:
    return _told(p, newer=False)


def _told(p: Chart, *, newer: bool) -> Evidence | None:
    """Read torch's own warning where nobody listed the build's arch flags: card, its capability, and the range."""
    card = p.told(TOLD_CARD)
    if not card or r.kernel_ran(p) or r.is_tegra(p) or p.maybe("env_probe", "torch", "arch_list"):
        return None
    here = ComputeCapability.parse(card["cc"] or card["cc2"].rstrip("."))
    known = _told_range(p)
    if not known or not (here > known[1] if newer else here < known[0]):
        return None
    line = p.heard(NO_IMAGE)
    words = {
        "gpu": (card["gpu"] or card["gpu2"]).strip(),
        "sm": here.sm.removeprefix("sm_"),
        "oldest": known[0].sm,
        "newest": known[1].sm,
    }
    proof = "; a kernel failed on it" if line else ""
    return (r.certain if line else r.likely)(card[0], line or "", proof=proof, **words)


def _told_range(p: Chart) -> tuple[ComputeCapability, ComputeCapability] | None:
    """Give the oldest and newest capability that torch's warning names."""
    if listed := p.told(r"supports CUDA capabilities ((?:(?:sm|compute)_\d+[af]? ?)+)"):
        found = [ComputeCapability.parse(flag) for flag in listed[1].split()]
        return min(found), max(found)
    if ends := p.told(r"supported by this version of PyTorch is\s+\(([\d.]+)\) - \(([\d.]+)\)"):
        return ComputeCapability.parse(ends[1]), ComputeCapability.parse(ends[2])
    least = p.told(r"minimum cuda capability supported by this library is ([\d.]+)")
    return (ComputeCapability.parse(least[1].rstrip(".")), NEWEST) if least else None


TOLD_CARD = (
    r"(?P<gpu>[^\n:]{3,60}?) with CUDA capability (?P<cc>sm_\d+) is not compatible"
    r"|Found GPU\d+ (?P<gpu2>.{3,60}?) which is of (?:cuda|compute) capability (?P<cc2>[\d.]+)"
)
NEWEST = ComputeCapability.parse("999.0")


@sign("jetson-arch-missing")
def tegra_is_not_listed(p: Chart) -> Evidence | None:
    found = _uncovered(p)
    return _no_code(p, *found[0]) if found and r.is_tegra(p) else None


@sign("torch-arch-warning-false-positive")
def warned_and_ran(p: Chart) -> Evidence | None:
    line = p.said(WARNING)
    if not line or not r.kernel_ran(p):
        return None
    name = next((name for name, _ in r.capabilities(p)), None) if p.maybe("nvml", "devices") else None
    return r.certain(line, "a kernel ran", gpu=name)


def _no_name_to_link(p: Chart, idle: Severity | None) -> Evidence | None:
    """Weigh it as ``idle`` while nobody has tried to compile."""
    bare, versioned = str(p.need("dlopen", "libcuda.so")), p.maybe("dlopen", "libcuda.so.1")
    library = r.library(p, "libcuda.so.1")
    if bare == "ok" or versioned not in ("ok", None) or not library:
        return None
    told = p.heard("triton|inductor|cannot find -lcuda")
    if r.in_container(p) and not told:
        return None
    say = r.certain if versioned == "ok" and told else r.likely
    return say(f"dlopen libcuda.so: {bare}", library=library, severity=None if told else idle)


@sign("triton-libcuda-link-missing")
def no_name_to_link(p: Chart) -> Evidence | None:
    return _no_name_to_link(p, "advisory")


@sign("triton-libcuda-link-missing", group="build")
@sign("triton-libcuda-link-missing", group="train")
def no_name_where_something_is_compiled(p: Chart) -> Evidence | None:
    return _no_name_to_link(p, None)


@sign("triton-ptxas-too-old")
def listed_targets(p: Chart) -> Evidence | None:
    known = p.words("env_probe", "triton", "ptxas_archs")
    missing = [(name, cc) for name, cc in r.capabilities(p) if cc.sm not in known]
    return r.likely(f"{missing[0][0]}: {missing[0][1].sm} is not in ptxas --list-gpu-arch") if missing else None
