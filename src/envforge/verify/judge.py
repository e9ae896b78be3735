"""Hold a measured rate against the card's data sheet: noted, never a failure of an environment."""

from __future__ import annotations

from dataclasses import replace

from envforge.facts import Peak, load_facts
from envforge.model import CheckResult
from envforge.verify.registry import checks, reported


def judge(result: CheckResult) -> CheckResult:
    """Add the fraction of the data sheet, and ``W_SLOW`` below the check's; unchanged for a card without facts."""
    card, least = result.measured.get("card"), _least(result)
    peak = load_facts().peak(card) if card and result.outcome == "pass" else None
    best = _best(peak, result) if peak else None
    if peak is None or best is None or least is None:
        return result
    name, rate, top = best
    fraction = round(rate / top, 3)
    measured = {**result.measured, "data_sheet": top, "fraction": fraction, "where": peak.where}
    if fraction >= least:
        return replace(result, measured=measured)
    detail = f"{rate:.4g} {name} is {fraction:.0%} of the data sheet, a healthy card has {least:.0%} and more"
    return replace(result, measured=measured, code=reported("W_SLOW"), detail=detail)


def _least(result: CheckResult) -> float | None:
    """Give the fraction that a healthy card has; less where its power limit holds the clocks."""
    settings = checks()[result.check].settings
    capped = "sw_power_cap" in (result.measured.get("held_by") or ())
    return settings.get("capped" if capped else "fraction")


def _best(peak: Peak, result: CheckResult) -> tuple[str, float, float] | None:
    """Give the unit, the measured rate and the card's; None when the facts have no rate of this kind."""
    if "tflop_per_s" in result.measured:
        top = peak.tflops.get(str(result.measured["format"]))
        return ("TFLOP/s", float(result.measured["tflop_per_s"]), top) if top else None
    top = peak.bandwidth_gb_per_s
    return ("GB/s", float(result.measured["gb_per_s"]), top) if top and "gb_per_s" in result.measured else None
