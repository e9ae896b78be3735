"""What facts are told in: driver branches, toolkits, architectures, cards, wheels of companions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from envforge.model import ComputeCapability, Dotted, value

Confidence = Literal["read", "inferred", "measured"]
Module = Literal["open", "proprietary", "either"]


@value
class Branch:
    """A driver branch, ``R535``. ``cuda`` is the newest CUDA it reports; ``eol`` a month, ``2026-06``, or unknown.

    ``eol_read`` is False for an end of life from general knowledge; ``newest`` the newest release that was seen.
    """

    name: str
    number: Dotted
    cuda: Dotted
    kind: str | None = None
    eol: str | None = None
    eol_read: bool = False
    newest: str | None = None
    confidence: Confidence = "read"
    where: str = ""


@value
class Architecture:
    """GPUs of one compute capability: the first and the last driver branch that serve them, None for no bound known.

    ``first_driver`` is a branch number (``570``), to compare with a driver's version; so is ``last_driver``, whose
    whole branch still serves. ``first_cuda`` and ``last_cuda`` are the toolkits that can compile for them.
    """

    name: str
    capability: ComputeCapability
    first_driver: Dotted | None = None
    last_driver: Dotted | None = None
    first_cuda: Dotted | None = None
    last_cuda: Dotted | None = None
    module: Module = "either"
    confidence: Confidence = "read"
    where: str = ""

    def served_by(self, driver: Dotted) -> bool:
        """Tell whether a driver's branch serves these GPUs."""
        early = self.first_driver is not None and driver < self.first_driver
        late = self.last_driver is not None and driver.major > self.last_driver.major
        return not early and not late


@value
class Toolkit:
    """A CUDA toolkit release, ``12.8.1``; ``linux`` and ``windows`` the drivers it came with."""

    version: Dotted
    label: str
    linux: Dotted | None = None
    windows: Dotted | None = None
    ptx_isa: Dotted | None = None
    preview: bool = False
    confidence: Confidence = "read"
    where: str = ""


@value
class Card:
    """A GPU product. ``name`` as NVML gives it; ``memory_bytes`` the marketed size, the least that the name covers.

    ``kind`` is consumer, workstation, datacenter, embedded, mining, jetson or automotive; ``listed`` the first release
    of the open kernel module that names the product; ``architecture`` what its capability is known by.
    """

    name: str
    capability: ComputeCapability
    kind: str | None = None
    memory_bytes: int | None = None
    chips: tuple[str, ...] = ()
    architecture: Architecture | None = None
    listed: Dotted | None = None
    mobile: bool = False
    year: int | None = None
    confidence: Confidence = "read"
    where: str = ""

    @property
    def tegra(self) -> bool:
        """Tell whether this is a Jetson's integrated GPU."""
        return self.kind == "jetson"

    @property
    def first_driver(self) -> Dotted | None:
        return self.architecture.first_driver if self.architecture else None

    @property
    def last_driver(self) -> Dotted | None:
        return self.architecture.last_driver if self.architecture else None

    @property
    def module(self) -> Module | None:
        return self.architecture.module if self.architecture else None


@value
class Peak:
    """What a GPU can do at most: dense TFLOP/s by number format, and GB/s of memory.

    A format that is missing has no hardware rate. ``read`` names the figures that a document states; the others are
    datasheet figures from memory, within a few percent.
    """

    name: str
    capability: ComputeCapability
    tflops: Mapping[str, float]
    bandwidth_gb_per_s: float | None = None
    read: tuple[str, ...] = ()
    confidence: Confidence = "read"
    where: str = ""


@value
class PythonMinor:
    """A minor of CPython, ``3.12``: the days on which it came out and ends, ``2028-10-31``."""

    minor: str
    released: str
    eol: str
    confidence: Confidence = "inferred"
    where: str = ""
