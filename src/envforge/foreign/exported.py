"""What ``conda env export`` writes: every package with the build that one platform has. Only versions carry over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from envforge.foreign.nouns import Foreign, Remark, Wanted

FEW = 5
OTHER_SYSTEMS = re.compile(
    r"vc|vc14_runtime|vs20\d\d_.*|ucrt|pywin32|pywinpty|winpty|wincertstore|win_inet_pton|console_shortcut|menuinst"
    r"|icc_rt|m2w64-.*|msys2-.*|libcxx|appnope|python\.app|pyobjc-.*"
)
OF_CUDA = re.compile(
    r"cuda-(?!version$|nvcc|toolkit$|compiler$).*|libcu(blas|fft|rand|solver|sparse|file|dnn).*"
    r"|libn(pp|vjpeg|vjitlink|vrtc|vtx).*|cudnn|nccl"
)


def solved_anew(foreign: Foreign, own: frozenset[str]) -> Foreign:
    """Ask for the versions of an export as the least, not for its builds; what torch itself says (``own``) is kept.

    A file is an export when most of its conda packages name an exact build.
    """
    conda = [each for each in foreign.wanted if each.kind == "conda"]
    exact = [each for each in conda if _is_exact(each)]
    if len(exact) < FEW or 2 * len(exact) <= len(conda):
        return foreign
    said = f"the builds of {len(exact)} packages are one platform's: their versions are asked for as the least"
    left = (Remark(text=said, where=foreign.origin), *_left_out(foreign, own))
    wanted = tuple(each if each.name in own else _least(each) for each in foreign.wanted if not _why_left(each, own))
    return replace(foreign, wanted=wanted, left_out=(*foreign.left_out, *left))


def _is_exact(wanted: Wanted) -> bool:
    return bool(wanted.build) and "*" not in wanted.build and wanted.version.startswith("=")


def _least(wanted: Wanted) -> Wanted:
    if wanted.kind == "wheel" or not _is_exact(wanted):
        return wanted
    version = wanted.version.lstrip("=")
    return replace(wanted, text=f"{wanted.name} >={version}", version=f">={version}", build="")


def _left_out(foreign: Foreign, own: frozenset[str]) -> Iterator[Remark]:
    names: dict[str, list[str]] = {}
    for each in foreign.wanted:
        if why := _why_left(each, own):
            names.setdefault(why, []).append(each.name)
    for why, found in names.items():
        yield Remark(text=f"{', '.join(found)}: {why}", where=foreign.origin)


def _why_left(wanted: Wanted, own: frozenset[str]) -> str | None:
    if wanted.kind == "wheel" or wanted.name in own:
        return None
    if wanted.name.startswith("_"):
        return "conda's own marks, set anew when it is solved"
    if OTHER_SYSTEMS.fullmatch(wanted.name):
        return "packages of another system than Linux"
    return "follow torch's CUDA" if OF_CUDA.fullmatch(wanted.name) else None
