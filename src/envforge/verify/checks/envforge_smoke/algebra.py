"""Decompositions, transforms and random numbers: cuSOLVER or MAGMA, cuFFT, cuRAND; LAPACK and MKL on the CPU."""

import math
import re

from envforge_smoke.device import Precise
from envforge_smoke.figures import gaussian, short
from envforge_smoke.outcomes import Failed, Skipped

WITHOUT = r"not compiled with|compiled without|requires compiling|library not found in compilation"  # of MAGMA, LAPACK


def linalg(bench):
    """solve, cholesky, eigh and svd leave residuals of a few n·eps."""
    n, found = bench.settings["n"], {}
    for name, dtype in bench.float_types():
        if name not in ("float32", "float64"):
            continue
        with Precise(bench.torch):
            residuals = _residuals(bench, n, dtype)
        found[name] = {what: short(number) for what, number in residuals.items()}
        worst = max(residuals, key=lambda what: _size(residuals[what]))
        if not residuals[worst] < bench.settings["limit"]:
            detail = "%s in %s: residual %.3g n·eps" % (worst, name, residuals[worst])
            raise Failed("E_INACCURATE", detail, {"residual_over_n_eps": found})
    return {"residual_over_n_eps": found, "n": n}


def _size(number):
    return math.inf if math.isnan(number) else number


def _residuals(bench, n, dtype):
    torch = bench.torch
    a = (gaussian(torch, n, n, 41) + 3 * math.sqrt(n) * torch.eye(n, dtype=torch.float64)).to(bench.device, dtype)
    b = gaussian(torch, n, 4, 42).to(bench.device, dtype)
    s = a @ a.transpose(0, 1)
    try:
        x, lower = torch.linalg.solve(a, b), torch.linalg.cholesky(s)
        values, vectors = torch.linalg.eigh(s)
        u, sigma, v = torch.linalg.svd(a, full_matrices=False)
        bench.sync()
    except RuntimeError as error:
        if isinstance(error, NotImplementedError) or re.search(WITHOUT, str(error)):
            raise Skipped("S_TORCH", str(error)[:200]) from error
        raise
    a, b, s, x, lower, values, vectors, u, sigma, v = [
        part.cpu().double() for part in (a, b, s, x, lower, values, vectors, u, sigma, v)
    ]
    unit = n * torch.finfo(dtype).eps

    def relative(error, whole):
        return float(error.norm() / (whole.norm() * unit))

    return {
        "solve": relative(a @ x - b, a) / max(1.0, float(x.norm())),
        "cholesky": relative(lower @ lower.T - s, s),
        "eigh": relative(vectors * values @ vectors.T - s, s),
        "svd": relative(u * sigma @ v - a, a),
    }


def fft(bench):
    """A real transform and its inverse against float64, and against one frequency summed by hand."""
    torch, n = bench.torch, bench.settings["n"]
    signal = gaussian(torch, 1, n, 51).view(-1)
    try:
        spectrum = torch.fft.rfft(signal.to(bench.device, torch.float32))
        back = torch.fft.irfft(spectrum, n=n).cpu().double()
        spectrum = spectrum.cpu().to(torch.complex128)
    except (RuntimeError, NotImplementedError) as error:
        if bench.kind == "mps" or "not compiled" in str(error):
            raise Skipped("S_TORCH", str(error)[:200]) from error
        raise
    exact = torch.fft.rfft(signal)
    error = float((spectrum - exact).abs().max() / exact.abs().max())
    by_hand = float((spectrum[5] - _frequency(torch, signal, 5)).abs() / exact.abs().max())
    trip = float((back - signal).abs().max())
    measured = {"n": n, "error": short(error), "by_hand": short(by_hand), "round_trip": short(trip)}
    limit = bench.settings["limit"]
    if not (error < limit and by_hand < limit and trip < bench.settings["trip_limit"]):
        raise Failed("E_INACCURATE", "error %.2e, round trip %.2e" % (max(error, by_hand), trip), measured)
    return measured


def _frequency(torch, signal, k):
    angle = torch.arange(signal.numel(), dtype=torch.float64) * (-2 * math.pi * k / signal.numel())
    return torch.complex((signal * torch.cos(angle)).sum(), (signal * torch.sin(angle)).sum())


def rng(bench):
    """The same seed gives the same numbers, another seed others, and their moments are right."""
    torch, count = bench.torch, bench.settings["elements"]
    drawn = []
    for seed in (1234, 1234, 4321):
        torch.manual_seed(seed)
        drawn.append(torch.randn(count, device=bench.device))
    bench.sync()
    if not torch.equal(drawn[0], drawn[1]):
        raise Failed("E_NONDETERMINISTIC", "the same seed gave other numbers")
    if torch.equal(drawn[0], drawn[2]):
        raise Failed("E_WRONG", "another seed gave the same numbers")
    mean, deviation = float(drawn[0].mean()), float(drawn[0].std())
    limit = bench.settings["sigmas"] / math.sqrt(count)
    measured = {"mean": short(mean), "deviation": short(deviation), "limit": short(limit)}
    if not (abs(mean) <= limit and abs(deviation - 1) <= limit):
        raise Failed("E_WRONG", "mean %.4f, deviation %.4f of normal numbers" % (mean, deviation), measured)
    return measured
