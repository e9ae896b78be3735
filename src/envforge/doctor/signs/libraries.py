"""CUDA libraries beside torch."""

from __future__ import annotations

import re

from packaging.version import Version

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

MISSING_RUNTIME = r"lib(cudart|cublas|nvrtc)(-\w+)?\.so\.\d+(\.\d+)?: cannot open shared object"


@sign("cudnn-wheel-incomplete")
def part_comes_from_elsewhere(p: Chart) -> Evidence | None:
    """Harmless while no other cuDNN is installed."""
    package, version, file = (p.known["cudnn_incomplete"][key] for key in ("package", "version", "file"))
    missing = [str(each) for each in p.need("env_probe", "missing_files") or () if "libcudnn" in str(each)]
    lacks = missing[0].split("/")[-1] if missing else file if str(r.package(p, package)) == version else None
    if not lacks:
        return None
    foreign = r.mapped_outside(p, re.escape(lacks)) or next(
        (row for row in (p.maybe("ldconfig") or ()) if lacks in str(row)), None
    )
    words = {"package": package, "version": r.package(p, package), "file": lacks, "foreign": foreign}
    return r.certain(f"{lacks} is not in the wheel", foreign, **words) if foreign else None


@sign("cudnn-missing-for-other-lib")
def ctranslate_wants_another(p: Chart) -> Evidence | None:
    translate = r.package(p, "ctranslate2")
    given = next((version for name, version in r.packages(p).items() if name.startswith("nvidia-cudnn")), None)
    if not translate or not given:
        return None
    wanted = "9" if translate >= Version(p.known["ctranslate2_cudnn9"]) else "8"
    have = str(given).split(".")[0]
    if wanted == have:
        return None
    return r.likely(f"ctranslate2 {translate}", f"cuDNN {given}", library="ctranslate2", wanted=wanted, given=have)


@sign("nccl-library-conflict")
def foreign_nccl(p: Chart) -> Evidence | None:
    line, taken = p.said(r"undefined symbol: nccl\w+"), r.mapped_outside(p, r"libnccl")
    return r.certain(line, taken, library=taken) if line and taken else None


@sign("libcudart-missing-for-extension")
def extension_needs_another_major(p: Chart) -> Evidence | None:
    rows = p.need("env_probe", "extensions")
    cuda = r.torch_cuda(p)
    for name, item in rows.items() if isinstance(rows, dict) else ():
        text = " ".join(str(part) for part in item.values()) if isinstance(item, dict) else str(item)
        needed = re.search(r"libcudart\.so\.(\d+)", text)
        broken = not isinstance(item, dict) or "error" in item or "cannot open" in text
        if needed and cuda and int(needed[1]) != cuda.major and broken:
            return r.certain(f"{name}: {text}", extension=name, needed=needed[1])
    return None


@sign("libcudart-missing-for-extension")
def program_finds_no_runtime(p: Chart) -> Evidence | None:
    line = p.said(MISSING_RUNTIME)
    broken_torch = p.maybe("env_probe", "import") not in (None, "ok") and re.search(
        r"/torch/|\btorch/lib", r.import_error(p)
    )
    return r.likely(line) if line and not broken_torch else None
