"""What conda channels offer of torch and Python, told by their records. Pure.

conda-forge's build strings begin with the variant (``cuda129_generic_py312_h..._200``, ``cpu_mkl_py311_h..._100``); the
old channel of the PyTorch project has ``py3.11_cuda12.1_cudnn8.9.2_0`` and ``py3.11_cpu_0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from envforge.engines.places import without_credentials
from envforge.model import Build, Dotted, value

TORCH, PYTHON = "pytorch", "python"
_FORGE_CUDA = re.compile(r"^(cuda(\d+)(\d))(?=_|h|$)")
_OLD_CUDA = re.compile(r"_cuda(\d+)\.(\d+)")
_CPU = re.compile(r"(^|_)cpu(_|$)")
_PYTHON = re.compile(r"^python >=(3\.\d+),<3\.\d+|^python_abi (3\.\d+)\.\*|^python (3\.\d+)\.\*")
_GLIBC = re.compile(r"^__glibc >=([\d.]+)")


@value
class Record:
    """What an offer needs of a conda record."""

    name: str
    version: str
    build: str
    subdir: str
    depends: tuple[str, ...] = ()
    size_bytes: int | None = None


def pythons_of(records: Iterable[Record]) -> tuple[str, ...]:
    """Give the minors of Python that the records have, oldest first; no free-threaded ones and no previews."""
    found = {
        ".".join(each.version.split(".")[:2])
        for each in records
        if each.name == PYTHON and re.fullmatch(r"\d+(\.\d+)+", each.version) and not _is_special(each.build)
    }
    return tuple(sorted(found, key=Version))


def _is_special(build: str) -> bool:
    return build.endswith("t") or "_pypy" in build


def builds_of(records: Iterable[Record], source: str, where: str) -> tuple[Build, ...]:
    """Turn records of pytorch into builds: one per version and variant, with the Pythons of all its records."""
    groups: dict[tuple[Version, str, Dotted | None, Dotted | None, str], list[Record]] = {}
    for each in records:
        version, variant = _version(each.version), variant_of(each.build) or _on_macos(each)
        if each.name == TORCH and version is not None and variant is not None:
            groups.setdefault((version, *variant, _glibc(each), each.subdir), []).append(each)
    built = (_build(key, found, source, where) for key, found in groups.items())
    return tuple(sorted(built, key=lambda each: (each.torch, each.variant)))


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def variant_of(build: str) -> tuple[str, Dotted | None] | None:
    """Read the variant out of a build string; None when it tells none."""
    if match := _FORGE_CUDA.search(build):
        return match[1], Dotted(f"{match[2]}.{match[3]}")
    if match := _OLD_CUDA.search(build):
        return f"cuda{match[1]}.{match[2]}", Dotted(f"{match[1]}.{match[2]}")
    return ("cpu", None) if _CPU.search(build) else None


def _on_macos(record: Record) -> tuple[str, None] | None:
    """Every build for macOS is for the CPU; the old channel's do not say so (``py3.11_0``)."""
    return ("cpu", None) if record.subdir.startswith("osx") else None


def _glibc(record: Record) -> Dotted | None:
    found = [Dotted(match[1].rstrip(".")) for each in record.depends if (match := _GLIBC.match(each))]
    return max(found, default=None)


def _python(record: Record) -> str | None:
    matches = (_PYTHON.match(each) for each in record.depends)
    return next((next(filter(None, match.groups())) for match in matches if match), None)


def _build(
    key: tuple[Version, str, Dotted | None, Dotted | None, str], found: list[Record], source: str, where: str
) -> Build:
    version, variant, cuda, glibc, subdir = key
    sizes = [each.size_bytes for each in found if each.size_bytes]
    pythons = {python for each in found if (python := _python(each))}
    return Build(
        torch=version,
        variant=variant,
        cuda=cuda,
        source=source,
        kind="conda",
        subdir=subdir,
        pythons=tuple(sorted(pythons, key=Version)),
        glibc=glibc,
        sass=() if variant == "cpu" else None,
        ptx=() if variant == "cpu" else None,
        size_bytes=max(sizes, default=None),
        seen=True,
        where=(without_credentials(where),),
    )
