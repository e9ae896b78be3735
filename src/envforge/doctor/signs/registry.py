"""Where signs are kept: several may stand for one rule, each a pure function ``(chart) -> Evidence | None``."""

from __future__ import annotations

from collections.abc import Callable

from envforge.doctor.chart import Chart
from envforge.model import Evidence, Group, value

Look = Callable[[Chart], Evidence | None]


@value
class Sign:
    """A way to see that a rule applies. ``group`` is the purpose (``--for``) without which it is not asked."""

    look: Look
    group: Group | None = None


SIGNS: dict[str, list[Sign]] = {}


def sign(rule: str, *, group: Group | None = None) -> Callable[[Look], Look]:
    """Register a function as a sign of a rule."""

    def register(look: Look) -> Look:
        SIGNS.setdefault(rule, []).append(Sign(look=look, group=group))
        return look

    return register
