"""The bench that a check works on: torch, one device, and what that device can do."""

import contextlib
import math
import os
import re
import shutil
import tempfile

from envforge_smoke import driver
from envforge_smoke.needs import numbers

KINDS = {"cpu", "cuda", "mps"}
UNSUPPORTED = r"not implemented|not support|could not create a primitive|Unsupported|does not support"
NO_KERNEL = r"not implemented for '(Half|BFloat16)'"


class Bench(object):
    """``kind`` is cuda (also ROCm), mps or cpu; ``capability`` a pair on NVIDIA, else None."""

    def __init__(self, torch, order):
        self.torch, self.order, self.settings = torch, order, {}
        self.version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
        self.hip = getattr(torch.version, "hip", None)
        self.known_kind, self._opened, self._scratch = None, None, None
        self.baseline = None

    @property
    def kind(self):
        """The kind of device; found when first asked, because a dead driver hangs there."""
        if self.known_kind is None:
            self.known_kind = self._choose(self.order["device"])
        return self.known_kind

    @property
    def device(self):
        """The torch device that tensors go to."""
        return self.torch.device("cuda:0" if self.kind == "cuda" else self.kind)

    def _choose(self, asked):
        """``auto``: a CUDA build that was asked for never becomes a silent run on the CPU."""
        if asked != "auto":
            return asked
        built = self.torch.version.cuda or self.hip
        if built and (self.order.get("want_cuda") or self.torch.cuda.is_available()):
            return "cuda"
        mps = getattr(self.torch.backends, "mps", None)
        return "mps" if not built and mps is not None and mps.is_available() else "cpu"

    @property
    def properties(self):
        """The device's properties; creates the CUDA context when first asked."""
        if self._opened is None and self.kind == "cuda":
            self.torch.cuda.set_device(self.device)
            self._opened = self.torch.cuda.get_device_properties(self.device)
        return self._opened

    @property
    def capability(self):
        """The compute capability as a pair; None off CUDA."""
        return (self.properties.major, self.properties.minor) if self.kind == "cuda" else None

    def take_settings(self, check):
        """Take a check's numbers; those that differ by kind of device are resolved here."""
        self.settings = dict(check.get("settings") or {})
        for name, number in self.settings.items():
            if isinstance(number, dict) and KINDS.issuperset(number):
                self.settings[name] = number.get(self.kind, number.get("cpu"))

    def can(self, feature):
        """Say whether the device has a feature whose lowest compute capability the order names (``bf16``, ``tf32``)."""
        floor = self.order["floors"].get(feature)
        if self.kind != "cuda" or self.hip or floor is None:
            return self.kind != "cuda" or feature != "tf32"
        return self.capability >= numbers(floor)

    def sync(self):
        """Wait for the device; errors of earlier kernels arrive here."""
        if self.kind == "cuda":
            self.torch.cuda.synchronize(self.device)
        elif self.kind == "mps":
            self.torch.mps.synchronize()

    def free_bytes(self):
        """Bytes that are free now on the device (on the host for the CPU)."""
        if self.kind == "cuda":
            return self._free_on_card()
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            return 2 << 30

    def _free_on_card(self):
        """Ask torch, before 1.10 the driver, whose context torch has made current in this thread."""
        if hasattr(self.torch.cuda, "mem_get_info"):
            return self.torch.cuda.mem_get_info(self.device)[0]
        taken = self.torch.cuda.memory_reserved(self.device)
        return self.properties.total_memory - taken if self.hip else driver.free_bytes(driver.load_libcuda())

    def matrix_size(self, bytes_each):
        """The largest n, a multiple of 256, whose three matrices take the settings' share of free memory."""
        if self.kind != "cuda":
            return self.settings["n"]
        n = int(math.sqrt(self.settings["share"] * self.free_bytes() / (3.0 * bytes_each)))
        return max(256, min(self.settings["n"], n // 256 * 256))

    def half(self):
        """The 16-bit type that the device is built for."""
        return self.torch.bfloat16 if self.can("bf16") else self.torch.float16

    def float_types(self):
        """Names and types that a product must be right in."""
        torch = self.torch
        found = [("float32", torch.float32)]
        if self.kind != "mps":
            found.append(("float64", torch.float64))
        found.append(("float16", torch.float16))
        if self.can("bf16"):
            found.append(("bfloat16", torch.bfloat16))
        return found

    def lacks(self, error):
        """Say whether this torch merely has no kernel for a 16-bit type here, which is no fault."""
        return bool(re.search(UNSUPPORTED if self.kind == "cpu" else NO_KERNEL, str(error)))

    def scratch(self):
        """An empty folder that goes when the worker ends."""
        if self._scratch is None:
            self._scratch = tempfile.mkdtemp(prefix="envforge-smoke-")
        return self._scratch

    def close(self):
        """Remove what the checks left on disk."""
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


class Precise(object):
    """Inside: IEEE float32 products and full-precision reductions; the old settings come back after."""

    NAMES = (
        "allow_fp16_reduced_precision_reduction",
        "allow_bf16_reduced_precision_reduction",
        "allow_fp16_accumulation",
    )

    def __init__(self, torch, tf32=False):
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        self.wanted = [(matmul, "allow_tf32", tf32), (cudnn, "allow_tf32", tf32)]
        self.wanted += [(matmul, name, False) for name in self.NAMES]
        self.kept = []

    def __enter__(self):
        for where, name, wanted in self.wanted:
            before = _switch(where, name, wanted)
            if before is not None:
                self.kept.append((where, name, before))

    def __exit__(self, *ignored):
        for where, name, before in self.kept:
            _switch(where, name, before)


def _switch(where, name, wanted):
    """Set a switch and give what it was; None for one that this torch does not have.

    From torch 2.9 on, reading ``allow_tf32`` raises where its two interfaces contradict each other; writing mends that.
    """
    before = None
    with contextlib.suppress(Exception):  # AssertionError, AttributeError or RuntimeError, by version
        before = getattr(where, name)
    try:
        setattr(where, name, wanted)
    except Exception:
        return None
    return before
