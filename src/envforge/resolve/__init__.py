"""Spec, machines and facts in; a choice or a conflict out, with its proof. Pure.

``resolve`` decides, ``cover`` decides for many machines at once, ``why_not`` answers for one torch, and
``check_artefacts`` asks again of what an engine answered.
"""

from envforge.resolve.cover import cover
from envforge.resolve.decide import resolve
from envforge.resolve.guard import check_artefacts
from envforge.resolve.why_not import why_not

__all__ = ["check_artefacts", "cover", "resolve", "why_not"]
