"""Compilers: asked only when somebody builds."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Dotted, Evidence


@sign("inductor-no-c-compiler", group="build")
@sign("inductor-no-c-compiler", group="train")
def no_compiler(p: Chart) -> Evidence | None:
    gcc, cc = p.need("toolchain", "gcc"), p.maybe("env", "CC")
    if gcc or cc or p.maybe("toolchain", "clang") or r.is_windows(p):
        return None
    return r.likely("no gcc, no CC")


@sign("python-headers-missing", group="build")
@sign("python-headers-missing", group="train")
def no_headers(p: Chart) -> Evidence | None:
    found = p.need("toolchain", "python_h")
    return r.likely(f"Python.h: {found}") if found in (None, False, "absent", "") else None


@sign("cuda-home-not-set", group="build")
def no_toolkit(p: Chart) -> Evidence | None:
    if p.need("toolchain", "nvcc") or p.maybe("toolchain", "CUDA_HOME") or not r.torch_cuda(p):
        return None
    return r.certain("no nvcc, no CUDA_HOME")


def _number(item: object) -> Dotted | None:
    found = item.get("version") if isinstance(item, dict) else item
    match = re.search(r"\d+(\.\d+)*", str(found or ""))
    return Dotted(match[0]) if match else None


@sign("nvcc-torch-cuda-mismatch", group="build")
def other_major(p: Chart) -> Evidence | None:
    nvcc, torch = _number(p.need("toolchain", "nvcc")), r.torch_cuda(p)
    if not nvcc or not torch or nvcc.major == torch.major:
        return None
    path = p.maybe("toolchain", "nvcc", "path") or "nvcc"
    return r.certain(f"{path} {nvcc}", f"torch: CUDA {torch}", path=path, nvcc=nvcc)


@sign("nvcc-torch-cuda-mismatch")
def build_says_so(p: Chart) -> Evidence | None:
    line = p.said(r"detected CUDA version \([\d.]+\) mismatches")
    nvcc = _number(p.maybe("toolchain", "nvcc"))
    return r.certain(line, nvcc=nvcc, path=p.maybe("toolchain", "nvcc", "path")) if line else None


@sign("gcc-too-new-for-nvcc", group="build")
def above_the_ceiling(p: Chart) -> Evidence | None:
    nvcc, gcc = _number(p.need("toolchain", "nvcc")), _number(p.need("toolchain", "gcc"))
    rows = [row for row in p.known["gcc_ceilings"] if nvcc and Dotted(row[0]) <= nvcc]
    if not rows or not gcc or gcc.major <= rows[-1][1]:
        return None
    return r.certain(f"gcc {gcc}, nvcc {nvcc}", gcc=gcc, nvcc=nvcc, limit=rows[-1][1])


@sign("gcc-too-new-for-nvcc")
def nvcc_refuses(p: Chart) -> Evidence | None:
    told = p.told(r"unsupported GNU version!? gcc versions later than (\d+)")
    if not told:
        return None
    gcc, nvcc = _number(p.maybe("toolchain", "gcc")), _number(p.maybe("toolchain", "nvcc"))
    return r.certain(told[0], gcc=gcc, nvcc=nvcc, limit=told[1])
