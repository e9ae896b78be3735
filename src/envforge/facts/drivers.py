"""Drivers, toolkits and architectures: which driver a CUDA needs, which CUDA a driver reports, which GPUs it serves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from envforge.facts.nouns import Architecture, Branch, PythonMinor, Toolkit
from envforge.facts.reading import Part, Row, rows, sources
from envforge.model import ComputeCapability, Dotted


def where_of(file: str, subject: str, row: Row) -> str:
    """Say where a fact stands: file, row, documents, date."""
    return f"{file}.yaml {subject}: {', '.join(sources(row))}, seen {row['seen']}"


def dotted(text: str | None) -> Dotted | None:
    """Read a number that may be missing."""
    return None if text is None else Dotted(text)


def system(subdir: str) -> str:
    """Name the column of driver versions that a subdir reads."""
    return "windows" if subdir.startswith("win") else "linux"


def reaches(driver: Dotted, floor: Dotted) -> bool:
    """Tell whether a driver is as new as a floor; a branch alone, ``580``, stands for its newest release."""
    branch_alone = len(driver.parts) == 1
    return driver >= floor or (branch_alone and driver.major == floor.major)


class Drivers:
    """The files ``branches`` and ``toolkits`` as tables; every answer is None where no fact is."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """Give every branch, oldest first."""
        return tuple(_branch(row) for row in rows(self._parts["branches"], "branches"))

    @cached_property
    def architectures(self) -> tuple[Architecture, ...]:
        """Give one entry for each compute capability, oldest first."""
        table = rows(self._parts["branches"], "architectures")
        return tuple(_architecture(row, word) for row in table for word in row["cc"].split())

    @cached_property
    def toolkits(self) -> tuple[Toolkit, ...]:
        """Give every toolkit release, newest first."""
        return tuple(_toolkit(row) for row in rows(self._parts["toolkits"], "toolkits"))

    @cached_property
    def _floors(self) -> tuple[Row, ...]:
        table = rows(self._parts["toolkits"], "floors")
        return tuple(sorted(table, key=lambda row: Dotted(row["first"]), reverse=True))

    def branch(self, driver: Dotted) -> Branch | None:
        """Give a driver's branch, on any system; the newest known one for a driver newer than all of them."""
        return next((each for each in reversed(self.branches) if each.number.major <= driver.major), None)

    def architecture(self, capability: ComputeCapability) -> Architecture | None:
        """Give what is known of the GPUs of one compute capability."""
        return next((each for each in self.architectures if each.capability == capability), None)

    def floor(self, cuda: Dotted, subdir: str) -> tuple[Dotted, str] | None:
        """Give the least driver that runs applications of this CUDA by minor-version compatibility, and its source.

        A CUDA older than that rule needs the driver its toolkit came with.
        """
        fits = (
            row for row in self._floors if Dotted(row["first"]) <= cuda and Dotted(row["first"]).major == cuda.major
        )
        if row := next(fits, None):
            return Dotted(row[system(subdir)]), where_of("toolkits", f"floor {row['first']}", row)
        newer = cuda.major > Dotted(self._floors[0]["first"]).major
        return None if newer else self.native(cuda, subdir)

    def native(self, cuda: Dotted, subdir: str) -> tuple[Dotted, str] | None:
        """Give the driver that came with the first release of a toolkit minor (no preview), and its source."""
        releases = [each for each in self.toolkits if _minor(each.version) == _minor(cuda) and not each.preview]
        for toolkit in reversed(releases):
            if version := toolkit.windows if system(subdir) == "windows" else toolkit.linux:
                return version, toolkit.where
        return None

    def ptx_isa(self, cuda: Dotted) -> Dotted | None:
        """Give the PTX version that a toolkit minor writes."""
        return next((each.ptx_isa for each in self.toolkits if _minor(each.version) == _minor(cuda)), None)

    def forward_compatible(self, cuda: Dotted, driver: Dotted) -> bool | None:
        """Tell whether a cuda-compat package of this CUDA may be put over a kernel driver; None without a fact."""
        for row in rows(self._parts["toolkits"], "forward"):
            if Dotted(row["cuda"]) == cuda:
                return str(driver.major) in row["kernel"].split()
        return None

    def targets(self, cuda: Dotted) -> tuple[str, ...] | None:
        """Give what the compiler of a toolkit minor makes code for, ``9.0a`` among them."""
        for row in rows(self._parts["toolkits"], "targets"):
            if Dotted(row["toolkit"]) == cuda:
                return tuple(row["targets"].split())
        return None


def _minor(version: Dotted) -> tuple[int, int]:
    return version.major, version.minor


def _branch(row: Row) -> Branch:
    return Branch(
        name=row["branch"],
        number=Dotted(row["branch"].removeprefix("R")),
        cuda=Dotted(row["cuda"]),
        kind=row.get("type"),
        eol=row.get("eol"),
        eol_read=row.get("eol_read", False),
        newest=row.get("newest_seen"),
        confidence=row["confidence"],
        where=where_of("branches", row["branch"], row),
    )


def _architecture(row: Row, capability: str) -> Architecture:
    return Architecture(
        name=row["architecture"],
        capability=ComputeCapability.parse(capability),
        first_driver=_number(row, "first_driver"),
        last_driver=_number(row, "last_driver"),
        first_cuda=dotted(row.get("first_cuda")),
        last_cuda=dotted(row.get("last_cuda")),
        module=row["module"],
        confidence=row["confidence"],
        where=where_of("branches", f"{row['architecture']} {capability}", row),
    )


def _number(row: Row, key: str) -> Dotted | None:
    return Dotted(row[key].removeprefix("R")) if key in row else None


def _toolkit(row: Row) -> Toolkit:
    plain: dict[str, Any] = {key: dotted(row.get(key)) for key in ("linux", "windows", "ptx_isa")}
    return Toolkit(
        version=Dotted(row["toolkit"]),
        label=row["label"],
        preview=row.get("preview", False),
        confidence=row["confidence"],
        where=where_of("toolkits", row["toolkit"], row),
        **plain,
    )


def python_of(row: Row) -> PythonMinor:
    """Turn a row of the file ``pythons`` into a value."""
    return PythonMinor(
        minor=row["python"],
        released=row["released"],
        eol=row["eol"],
        confidence=row["confidence"],
        where=where_of("pythons", row["python"], row),
    )
