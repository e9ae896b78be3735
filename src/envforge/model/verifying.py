"""What checks saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from envforge.model.base import value

Outcome = Literal["pass", "fail", "skip", "inconclusive"]


@value
class CheckResult:
    """What one check saw on one device; ``measured`` holds numbers with units in their names."""

    check: str
    device: str | None
    outcome: Outcome
    took_s: float
    detail: str = ""
    code: str | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)


@value
class SmokeReport:
    """All check results of one environment on one machine.

    ``devices`` names what they ran on, as NVML or the kernel calls it; ``driver`` is None where no GPU took part.
    """

    python: str
    torch: str | None
    cuda: str | None
    machine: str
    results: tuple[CheckResult, ...]
    when: str = ""
    devices: tuple[str, ...] = ()
    driver: str | None = None

    @property
    def verdict(self) -> Literal["pass", "fail", "inconclusive"]:
        """Fail when any check failed; inconclusive when one could not tell or nothing passed."""
        outcomes = {result.outcome for result in self.results}
        if "fail" in outcomes:
            return "fail"
        return "pass" if "pass" in outcomes and "inconclusive" not in outcomes else "inconclusive"
