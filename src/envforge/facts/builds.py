"""Torch builds, joined from the files that know a part of each: which exist, for which Pythons, on which glibc."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from packaging.version import Version

from envforge.facts.reading import Part, Row, rows, sources
from envforge.model import Build, ComputeCapability, Dotted

CONDA_CHANNEL = "https://conda.anaconda.org/pytorch"
Joined = dict[str, Any]


def join(parts: Mapping[str, Part]) -> dict[str, list[Joined]]:
    """Join the files ``torch`` and ``conda_forge`` into plain builds by subdir, in the order of the files."""
    found: dict[str, list[Joined]] = {}
    for build in (*_wheels(parts["torch"]), *_conda_channel(parts["torch"]), *_conda_forge(parts["conda_forge"])):
        found.setdefault(build["subdir"], []).append(build)
    return found


def _wheels(torch: Part) -> Iterator[Joined]:
    floors = rows(torch, "floors")
    own = {(row["torch"], row["on"]): row for row in rows(torch, "pypi")}
    for row in own.values():
        yield _wheel(row, row, "pypi", floors)
    for row in rows(torch, "index"):
        twin = own.get((row["torch"], row["on"]), {})
        size = twin.get("size_mb") if twin.get("variant") == row["variant"] else None
        merged = {"pythons": twin.get("pythons", ""), "size_mb": size, **row}
        yield _wheel(merged, row, "pytorch", floors)


def _wheel(row: Row, said: Row, source: str, floors: Iterable[Row]) -> Joined:
    floor = next((each for each in floors if _covers(each, row)), {})
    local = row.get("local", row["variant"]) if source == "pytorch" else "none"
    return _joined(
        row, said, "torch.yaml", source, "wheel", floor.get("glibc"), local=None if local == "none" else local
    )


def _conda_channel(torch: Part) -> Iterator[Joined]:
    for row in rows(torch, "conda_channel"):
        yield _joined(row, row, "torch.yaml", CONDA_CHANNEL, "conda", row.get("glibc"))


def _conda_forge(forge: Part) -> Iterator[Joined]:
    floors = rows(forge, "floors")
    for row in rows(forge, "builds"):
        floor = next((each for each in floors if _covers(each, row)), {})
        glibc = floor.get("glibc") or row.get("glibc")
        if glibc and row.get("glibc"):
            glibc = max(glibc, row["glibc"], key=Dotted)
        yield _joined(row, row, "conda_forge.yaml", "conda-forge", "conda", glibc)


def _covers(floor: Row, row: Row) -> bool:
    torch = Version(row["torch"])
    return (
        floor["on"] == row["on"]
        and floor.get("variant", row["variant"]) == row["variant"]
        and Version(floor.get("first", "0")) <= torch
        and ("last" not in floor or torch <= Version(floor["last"]))
    )


def _joined(
    row: Row, said: Row, file: str, source: str, kind: str, glibc: str | None, local: str | None = None
) -> Joined:
    where = f"{file} {row['torch']} {row['variant']} {row['on']}: {', '.join(sources(said))}, seen {said['seen']}"
    build: Joined = {"torch": row["torch"], "variant": row["variant"], "source": source, "kind": kind}
    build |= {"subdir": row["on"], "pythons": _with_gil(row["pythons"]), "glibc": glibc, "local": local}
    build |= {"sass": _sass(row, "sass"), "ptx": _sass(row, "ptx"), "size_mb": row.get("size_mb")}
    build |= {key: row.get(key) for key in ("cuda", "ran", "failed")}
    build |= {"tegra": row.get("arm") == "tegra", "confidence": said["confidence"], "where": where}
    return {key: item for key, item in build.items() if item is not None and item is not False}


def _with_gil(pythons: str) -> str:
    return " ".join(python for python in pythons.split() if not python.endswith("t"))


def _sass(row: Row, key: str) -> str | None:
    return "" if row["variant"] == "cpu" else row.get(key)


def builds_of(joined: Iterable[Joined]) -> tuple[Build, ...]:
    """Turn plain builds into values."""
    return tuple(_build(each) for each in joined)


def _build(plain: Joined) -> Build:
    return Build(
        torch=_version(plain["torch"]),
        variant=plain["variant"],
        cuda=_dotted(plain["cuda"]) if "cuda" in plain else cuda_of_variant(plain["variant"]),
        source=plain["source"],
        kind=plain["kind"],
        subdir=plain["subdir"],
        pythons=_words(plain["pythons"]),
        glibc=_dotted(plain["glibc"]) if "glibc" in plain else None,
        sass=capabilities(plain["sass"]) if "sass" in plain else None,
        ptx=capabilities(plain["ptx"]) if "ptx" in plain else None,
        ran=capabilities(plain.get("ran", "")),
        failed=capabilities(plain.get("failed", "")),
        local=plain.get("local"),
        size_bytes=plain["size_mb"] * 1_000_000 if "size_mb" in plain else None,
        tegra=plain.get("tegra", False),
        confidence=plain["confidence"],
        where=(plain["where"],),
    )


def abi_of(torch: Part, build: Build) -> bool | None:
    """Tell whether a build for Linux has the new C++ ABI; None where no row covers it."""
    if build.kind == "conda":
        row = next((each for each in rows(torch, "abis") if each["of"] == build.source), None)
        return bool(row["cxx11_abi"]) if row else None
    row = {"torch": str(build.torch), "on": build.subdir, "variant": build.variant}
    floor = next((each for each in rows(torch, "floors") if _covers(each, row)), None)
    return bool(floor["cxx11_abi"]) if floor else None


@cache
def cuda_of_variant(variant: str) -> Dotted | None:
    """Read the CUDA version in a build's tag: ``cu126`` and ``cuda126`` are 12.6, ``cuda12.4`` 12.4, ``cpu`` none."""
    digits = variant.removeprefix("cuda").removeprefix("cu")
    if not digits[:1].isdigit():
        return None
    return Dotted(digits if "." in digits else f"{digits[:-1]}.{digits[-1]}")


@cache
def capabilities(words: str) -> tuple[ComputeCapability, ...]:
    """Read ``7.5 8.0 9.0``."""
    return tuple(ComputeCapability.parse(word) for word in words.split())


@cache
def _version(text: str) -> Version:
    return Version(text)


@cache
def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@cache
def _dotted(text: str) -> Dotted:
    return Dotted(text)
