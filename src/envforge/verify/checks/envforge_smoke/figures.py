"""Inputs whose exact results are known, and the error that a number format allows."""

import math

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "tf32": 2.0**-11, "float16": 2.0**-11, "bfloat16": 2.0**-8}
EXACT = 256  # bfloat16 holds every integer up to here


def hashed(torch, count, seed, device, first=0):
    """Integers in [0, 2**31), a pure function of index and seed: every product stays below 2**63.

    So CPU and GPU agree bit for bit, and a part can be made again anywhere.
    """
    index = torch.arange(first, first + count, dtype=torch.int64, device=device)
    mixed = (index % 2147483647) * 1103515245 + (seed * 12345 + 12345)
    mixed = mixed ^ (mixed >> 16)
    mixed = (mixed % 2147483647) * 69069 + 1
    return (mixed ^ (mixed >> 13)) % 2147483648


def integers(torch, rows, columns, seed, low, high):
    """A matrix of integers in [low, high], int64 on the CPU."""
    return (hashed(torch, rows * columns, seed, "cpu") % (high - low + 1) + low).view(rows, columns)


def ternary(bench, rows, columns, seed, dtype, sparse=8):
    """Entries +1 and -1 (one in ``sparse`` each) or 0, made on the device in pieces."""
    torch = bench.torch
    out = torch.empty((rows, columns), dtype=dtype, device=bench.device)
    step = max(1, (1 << 22) // columns)  # 128 MiB of int64 at most: a shared card is not filled
    for row in range(0, rows, step):
        count = min(step, rows - row)
        drawn = hashed(torch, count * columns, seed, bench.device, row * columns) % sparse
        out[row : row + count] = ((drawn == 0).to(dtype) - (drawn == 1).to(dtype)).view(count, columns)
    return out


def gaussian(torch, rows, columns, seed):
    """Normal numbers in float64 on the CPU, the same for the same seed."""
    source = torch.Generator()
    source.manual_seed(seed)
    return torch.randn(rows, columns, generator=source, dtype=torch.float64)


def eta_limit(name, inner):
    """The largest healthy |C' - C| / (|A||B|) of a product with this inner length.

    The result's own rounding, plus accumulation in float32 (float64 for float64) with rounding errors taken as
    independent, four standard deviations; TF32 also cuts both inputs to 11 bits.
    """
    accumulate = UNIT["float64"] if name == "float64" else UNIT["float32"]
    limit = 4 * math.sqrt(inner) * accumulate
    return limit + (2 * UNIT["tf32"] if name == "tf32" else UNIT[name])


def short(number):
    """Three significant digits, what a person reads and a diff keeps; a word for NaN, which JSON does not have."""
    return float("%.3g" % number) if math.isfinite(number) else str(number)


def mix(torch, host):
    """The integers that the check kernels compute from ``host``, as int64 in [0, 2**32)."""
    index = torch.arange(host.numel(), dtype=torch.int64)
    return ((host * 1664525 + 1013904223) & 0xFFFFFFFF) ^ ((index << 3) & 0xFFFFFFFF)
