"""What an extension was compiled against, as far as its file's name, its version or its page says.

Of the forms that projects use: ``flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl``,
``torch-scatter==2.1.2+pt24cu121``, ``.../whl/torch-2.4.0+cu121.html``, ``.../cu117/torch1.13/index.html``,
``.../torch-2.4/cu124/repo.html``, ``.../py38_cu117_pyt1131/download.html``.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from envforge.model import value

_TORCH = re.compile(
    r"torch[-_]?(\d+)\.(\d+)|(?<![a-z])pt(\d)(\d{1,2})(?=cu|cpu)|(?<![a-z])pyt(\d)(\d{1,2})\d(?![\d.])", re.ASCII
)
_CUDA = re.compile(r"(?<![a-z])cu(\d{2})(\d)?(?!\d)(torch)?|(?<![a-z])cpu(?![a-z])", re.ASCII)
_AFTER_PT = re.compile(r"(?<=\d)(?=cu\d|cpu)")
_ABI = re.compile(r"cxx11abi(TRUE|FALSE)", re.IGNORECASE)
_SUBDIRS = {
    "linux_x86_64": "linux-64",
    "linux_aarch64": "linux-aarch64",
    "win_amd64": "win-64",
}


@value
class BuiltFor:
    """``torch`` is a minor, ``2.8``; ``cuda`` ``12.1``, ``12`` for all of a major, or ``none`` for the CPU.

    What the name does not say is None. ``python`` is a minor; ``later`` says that later ones do as well (abi3). Of the
    form ``cu122torch2.1`` only the major counts: flash-attention's setup.py takes that wheel for every CUDA 12.
    """

    torch: str
    cuda: str
    cxx11_abi: bool | None = None
    python: str | None = None
    later: bool = False
    subdir: str | None = None


def built_for(text: str) -> BuiltFor | None:
    """Read a URL, a file's name or a local version; None where it does not name both torch and CUDA."""
    plain = unquote(text.partition("#")[0])
    torch, cuda, abi = _TORCH.search(plain), _CUDA.search(_AFTER_PT.sub("_", plain)), _ABI.search(plain)
    if not torch or not cuda:
        return None
    numbers = [number for number in torch.groups() if number is not None]
    python, later, subdir = _tags(plain)
    return BuiltFor(
        torch=".".join(numbers),
        cuda=_cuda(cuda),
        cxx11_abi=abi[1].upper() == "TRUE" if abi else None,
        python=python,
        later=later,
        subdir=subdir,
    )


def _cuda(found: re.Match[str]) -> str:
    if not found[1]:
        return "none"
    if found[2] and not found[3]:
        return f"{found[1]}.{found[2]}"
    return found[1] if found[1].startswith("1") else f"{found[1][0]}.{found[1][1]}"


def _tags(text: str) -> tuple[str | None, bool, str | None]:
    """Read Python, whether later ones do, and platform of a wheel's name; of another text nothing."""
    try:
        _, _, _, tags = parse_wheel_filename(text.rpartition("/")[2])
    except InvalidWheelFilename:
        return None, False, None
    tag = next(iter(tags))
    python = re.fullmatch(r"cp(\d)(\d+)", tag.interpreter)
    subdir = _SUBDIRS.get(re.sub(r"^manylinux[_\d]*_(?=x86|aarch)", "linux_", tag.platform))
    return f"{python[1]}.{python[2]}" if python else None, tag.abi == "abi3", subdir


def made_for(requirement: str) -> BuiltFor | None:
    """Read what a wheel that a requirement names was compiled against: by its URL, or by its exact local version."""
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return None
    if parsed.url:
        return built_for(parsed.url) if parsed.url.partition("#")[0].endswith(".whl") else None
    local = next((each.version.partition("+")[2] for each in parsed.specifier if each.operator == "=="), "")
    return built_for(local) if local else None
