"""The three ways to be sure: evidence lines, and the values that the rule's sentence needs.

The value ``severity`` is no word of the sentence: it makes this evidence weigh less (or more) than its rule.
"""

from __future__ import annotations

from typing import cast

from envforge.model import Certainty, Evidence, Severity


def certain(*lines: object, **values: object) -> Evidence:
    """Two facts that agree, or an A/B test, or the driver's own words."""
    return _evidence("certain", lines, values)


def likely(*lines: object, **values: object) -> Evidence:
    """One fact that has seldom another cause."""
    return _evidence("likely", lines, values)


def possible(*lines: object, **values: object) -> Evidence:
    """A fact that fits, where others would fit too."""
    return _evidence("possible", lines, values)


def _evidence(certainty: Certainty, lines: tuple[object, ...], values: dict[str, object]) -> Evidence:
    severity = values.pop("severity", None)
    return Evidence(
        lines=tuple(str(line) for line in lines if line),
        certainty=certainty,
        severity=cast("Severity | None", severity),
        values={name: str(item) for name, item in values.items() if item is not None},
    )
