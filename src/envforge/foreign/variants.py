"""Where names hide a CUDA version: index URLs, local versions, conda build strings, wheel files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import unquote

from packaging.tags import Tag

from envforge.model import value

_TORCH_PAGE = re.compile(
    r"https?://(?:download\.pytorch\.org|[^/]+/(?:[^?#]*/)?pytorch-wheels|[^/]+/pytorch/whl)(?:/|$)([^?#]*)"
)
_OTHER_VENDOR = re.compile(r"(rocm[\d.]*|xpu|hpu)$")
Cuda = Literal["none"] | str

_TAG = re.compile(r"cu(\d+)(\d)$")
_IN_BUILD = re.compile(r"cuda_?-?(\d{2})(?:\.?(\d))?")


@value
class Page:
    """What a URL of the PyTorch project's wheel index says: ``cuda`` is ``12.1``, ``none`` for CPU, None for any.

    ``other`` names builds for GPUs of another vendor: ``rocm6.3``, ``xpu``.
    """

    cuda: Cuda | None
    nightly: bool = False
    other: str | None = None


def page_of(url: str) -> Page | None:
    """Read a URL of the PyTorch project's index, or of a mirror of it; None for any other."""
    match = _TORCH_PAGE.match(url)
    if not match:
        return None
    words = [word for word in match[1].split("/") if word]
    found = (of_tag(word) for word in words)
    other = next(filter(None, map(other_vendor, words)), None)
    return Page(cuda=next(filter(None, found), None), nightly="nightly" in words, other=other)


def other_vendor(tag: str) -> str | None:
    """Read ``rocm6.3`` or ``xpu``, as pages and local versions of builds for other vendors' GPUs are called."""
    match = _OTHER_VENDOR.match(tag)
    return match[1] if match else None


def of_tag(tag: str) -> Cuda | None:
    """Read ``cu121`` or ``cpu``, as pages and local versions are called."""
    if tag == "cpu":
        return "none"
    match = _TAG.match(tag)
    return f"{match[1]}.{match[2]}" if match else None


def of_build(build: str) -> Cuda | None:
    """Read a glob over conda build strings: ``*cuda11*`` gives ``11``, ``py3.9_cuda11.3_cudnn8*`` ``11.3``."""
    if match := _IN_BUILD.search(build):
        return f"{match[1]}.{match[2]}" if match[2] else match[1]
    return "none" if re.search(r"(^|[*_])cpu", build) else None


def wants_cuda(build: str) -> bool:
    """Tell whether a glob over build strings asks for some CUDA build."""
    return "cuda" in build or "gpu" in build


def file_name(url: str) -> str:
    """Give the name of the file that a URL ends in. Takes broken URLs too, which `urllib` refuses."""
    return unquote(re.split(r"[?#]", url)[0].rpartition("/")[2])


def wheel_file(url: str) -> tuple[str, str] | None:
    """Read name and version from the URL of a wheel; None for anything else."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        project, version, _, _ = parse_wheel_filename(file_name(url))
    except InvalidWheelFilename:
        return None
    return project, str(version)


def wheel_platforms(url: str) -> tuple[str, ...]:
    """Give the platforms of a wheel by its URL, ``manylinux_2_28_x86_64``; none for anything else."""
    return tuple({tag.platform for tag in _tags(url)})


def wheel_python(url: str) -> str | None:
    """Give the minor of CPython that a wheel is for alone, ``3.10``; None for any other URL."""
    found = {tag.interpreter for tag in _tags(url) if tag.abi.startswith("cp")}
    match = re.fullmatch(r"cp(\d)(\d+)", found.pop()) if len(found) == 1 else None
    return f"{match[1]}.{match[2]}" if match else None


def _tags(url: str) -> Iterable[Tag]:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(file_name(url.strip().partition(" ")[0]))[3]
    except InvalidWheelFilename:
        return ()
