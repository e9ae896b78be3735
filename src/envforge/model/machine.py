"""A machine: driver, GPUs, system, and the raw readings that they were told from."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from envforge.model.base import Absent, ComputeCapability, Dotted, value


@value
class Reading:
    """One raw answer of the host, or why there is none. ``source`` is the recording's key (``nvml``, ``pci`` ...)."""

    source: str
    value: Any = None
    error: str | None = None
    took_s: float = field(default=0.0, compare=False)


@value
class Gpu:
    """One device as NVML lists it; ``name`` as ``nvmlDeviceGetName`` gives it."""

    index: int
    name: str | None
    compute_capability: ComputeCapability | None
    memory_bytes: int | None = None
    uuid: str | None = None
    pci_id: str | None = None
    mig: bool | None = None


@value
class Driver:
    """The NVIDIA driver: three things that people mix up.

    ``version`` is the driver's (``550.54.15``); ``cuda_version`` the newest CUDA its libcuda speaks (``12.4``);
    ``module`` the flavour of the kernel module.
    """

    version: Dotted
    cuda_version: Dotted | None = None
    module: Literal["open", "proprietary"] | None = None

    @property
    def branch(self) -> str:
        """Give NVIDIA's name of the release branch, ``R550``."""
        return f"R{self.version.major}"


@value
class Interpreter:
    """A Python at hand on the host, for environments that no conda channel serves. ``version`` is ``3.11.7``."""

    path: str
    version: Dotted


@value
class Machine:
    """A computer that an environment must run on: this one, a recording's, or a profile's.

    ``cuda_version`` is the newest CUDA that its driver speaks; it may be known where the driver's version is not (a
    container without NVML, a Jetson, ``CONDA_OVERRIDE_CUDA``).
    """

    name: str
    subdir: str | None = None
    driver: Driver | Absent | None = None
    cuda_version: Dotted | Absent | None = None
    gpus: tuple[Gpu, ...] | None = None
    glibc: Dotted | Absent | None = None
    os: str | None = None
    platform: str | None = None
    container: str | None = None
    tegra: bool | None = None
    cpu: str | None = None
    memory_bytes: int | None = None
    interpreters: tuple[Interpreter, ...] | None = None
    readings: tuple[Reading, ...] = ()

    def reading(self, source: str) -> Reading | None:
        """Give the reading of this name; None when it was not probed."""
        return next((reading for reading in self.readings if reading.source == source), None)
