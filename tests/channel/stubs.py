"""Packages of a kilobyte: valid and installable, with the dependencies of conda-forge's builds and no payload.

They give a solver the CUDA choices that it has on conda-forge: several CUDA variants of several torch releases,
``cuda-version`` with its constraints, and libraries built for one CUDA each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from channel.archive import PLACEHOLDER, Entry, write_conda

CUDA_VERSIONS = ("11.8", "12.1", "12.4", "12.6", "12.8", "12.9", "13.0")
LIBRARIES = {"cuda-cudart": "", "libcublas": "", "cudnn": "9.10.0", "nccl": "2.27.3"}
TORCHES = {
    "2.4.1": (("12.4",), ("3.10", "3.11", "3.12")),
    "2.5.1": (("12.4", "12.6"), ("3.10", "3.11", "3.12")),
    "2.6.0": (("12.6",), ("3.10", "3.11", "3.12")),
    "2.7.1": (("12.6", "12.8"), ("3.10", "3.11", "3.12", "3.13")),
    "2.8.0": (("12.8", "12.9"), ("3.10", "3.11", "3.12", "3.13")),
    "2.9.1": (("12.8", "12.9", "13.0"), ("3.10", "3.11", "3.12", "3.13")),
    "2.13.0": (("12.8", "12.9", "13.0"), ("3.11", "3.12", "3.13")),
}
TORCH_DEPENDS = ("filelock", "fsspec", "jinja2", "networkx", "numpy >=1.23,<3", "sympy >=1.13", "typing_extensions")
Record = dict[str, Any]


def record(name: str, version: str, build: str = "h0000000_0", **more: Any) -> Record:
    fields: Record = {"build_number": 0, "depends": [], "constrains": [], "subdir": "noarch", **more}
    if fields["subdir"] == "noarch":
        fields.setdefault("noarch", "generic")
    return {"name": name, "version": version, "build": build, **fields}


def _before(cuda: str) -> str:
    return f"{int(cuda.split('.', maxsplit=1)[0]) + 1}.0a0"


def cuda_records(cuda: str) -> Iterator[Record]:
    """Give ``cuda-version`` and the libraries of one CUDA release."""
    limits = [f"__cuda >={cuda.split('.', maxsplit=1)[0]}", f"cudatoolkit {cuda}|{cuda}.*"]
    yield record("cuda-version", cuda, "h0000000_3", build_number=3, constrains=limits)
    depends = [f"cuda-version >={cuda},<{_before(cuda)}", "__glibc >=2.17"]
    for name, version in LIBRARIES.items():
        build = f"cuda{cuda.replace('.', '')}_0"
        yield record(name, version or f"{cuda}.50", build, depends=depends, subdir="linux-64")


def torch_records(torch: str, python: str, cudas: tuple[str, ...]) -> Iterator[Record]:
    """Give the CPU build and the CUDA builds of one torch release for one Python."""
    major, least = python.split(".")
    digits = f"py{major}{least}"
    depends = [f"python >={python},<{major}.{int(least) + 1}.0a0", f"python_abi {python}.* *_cp{major}{least}"]
    depends += [*TORCH_DEPENDS, "__glibc >=2.28"]
    only_cpu, only_gpu = ["pytorch-gpu ==99999999"], ["pytorch-cpu ==99999999"]
    yield record(
        "pytorch",
        torch,
        f"cpu_generic_{digits}_h0000000_0",
        depends=depends,
        constrains=only_cpu,
        subdir="linux-64",
    )
    for order, cuda in enumerate(cudas):
        ranges = [f"{name} >={cuda},<{_before(cuda)}" for name in ("cuda-version", "cuda-cudart", "libcublas")]
        more = [f"__cuda >={cuda}", *ranges, "cudnn >=9.10,<10.0a0", "nccl >=2.27,<3.0a0"]
        build = f"cuda{cuda.replace('.', '')}_generic_{digits}_h0000000_{200 + order}"
        number = 200 + order
        yield record(
            "pytorch",
            torch,
            build,
            build_number=number,
            depends=depends + more,
            constrains=only_gpu,
            subdir="linux-64",
        )


def records() -> Iterator[Record]:
    """Give every stub of the channel."""
    for cuda in CUDA_VERSIONS:
        yield from cuda_records(cuda)
    for torch, (cudas, pythons) in TORCHES.items():
        for python in pythons:
            yield from torch_records(torch, python, cudas)
    yield record("tzdata", "2026a")
    for least in range(9, 15):
        limits = [f"python 3.{least}.* *_cpython"]
        yield record("python_abi", f"3.{least}", f"8_cp3{least}", build_number=8, constrains=limits)
    yield record("needs-old-sympy", "1.0", depends=["sympy <1.10"])
    yield record("needs-new-glibc", "1.0", depends=["__glibc >=99"])


def write_stubs(channel: Path, without: tuple[tuple[str, str], ...] = ()) -> None:
    """Write every stub, except those (name, build) for which the channel has the real package."""
    real = {(name, build.rsplit("_h", 1)[0]) for name, build in without}
    for each in records():
        if (each["name"], each["build"].rsplit("_h", 1)[0]) not in real or each["version"] != "2.13.0":
            write_conda(channel, each)
    write_probe(channel)


def write_probe(channel: Path) -> None:
    """Write ``prefix-probe``: text and binary prefixes, a soft link, a script, and a post-link script."""
    own = PLACEHOLDER
    binary = b"\x00\x01" + f"{own}/share".encode() + b"\x00" * 16 + b"END"
    entries = [
        Entry(
            path="bin/prefix-probe",
            content=f"#!{own}/bin/python\nprint('probe')\n".encode(),
            mode=0o755,
            placeholder=own,
        ),
        Entry(path="share/prefix-probe/text.cfg", content=f"root={own}\n".encode(), placeholder=own),
        Entry(path="share/prefix-probe/data.bin", content=binary, placeholder=own, binary=True),
        Entry(path="share/prefix-probe/link", link="text.cfg"),
        Entry(path="bin/.prefix-probe-post-link.sh", content=b'#!/bin/sh\n> "$PREFIX/post-link-ran"\n', mode=0o755),
    ]
    write_conda(channel, record("prefix-probe", "1.0", depends=["python"], subdir="linux-64"), entries)
