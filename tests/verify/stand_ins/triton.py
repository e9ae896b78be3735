"""Stands in for Triton: the two kernels of the check, computed by torch."""

import os
import sys
import types

__version__ = "3.6.0"
language = types.ModuleType("triton.language")
language.constexpr = int
sys.modules["triton.language"] = language


def jit(function):
    return Kernel(function.__name__)


class Kernel:
    def __init__(self, name):
        self.name = name

    def __getitem__(self, grid):
        if "FAKE_TRITON" in os.environ and not os.environ["FAKE_TRITON"].isdigit():
            raise RuntimeError(os.environ["FAKE_TRITON"])
        return self.mix if self.name == "mix" else self.dot

    def mix(self, x, y, n, B):  # noqa: N803
        y.copy_(x * 3 + 1 + (os.environ.get("FAKE_TRITON") == "1"))

    def dot(self, a, b, c, N):  # noqa: N803
        c.copy_(a.float() @ b.float() + (os.environ.get("FAKE_TRITON") == "2"))
