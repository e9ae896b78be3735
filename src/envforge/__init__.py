"""PyTorch environments that are proven to run on the GPU in front of you.

Nouns stand here, each frozen and typed; verbs in `envforge.verbs`. Both come when they are first asked for, so that
``import envforge`` alone costs nothing.

>>> import envforge
>>> envforge.ComputeCapability.parse("sm_90")
ComputeCapability(major=9, minor=0)
>>> envforge.Dotted("535.104.05") < envforge.Dotted("580")
True
>>> facts = envforge.verbs.load_facts()
>>> str(facts.card("NVIDIA H100 80GB HBM3").capability)
'9.0'

Errors are nouns too: whatever cannot be done raises an `EnvforgeError` that says where, and what helps.

>>> try:
...     envforge.verbs.parse_spec("pyton: '3.12'", "vision.yaml")
... except envforge.SpecError as error:
...     print(error.message, error.where)
unknown key `pyton` ('vision.yaml:1:1',)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envforge import verbs as verbs
    from envforge.errors import *  # noqa: F403
    from envforge.model import *  # noqa: F403

__version__ = "0.1.0"
_HOMES = ("envforge.model", "envforge.errors")


if not TYPE_CHECKING:  # a checker must see that a misspelt noun is not there

    def __getattr__(name: str) -> Any:
        """Import what is asked for: `verbs`, or the noun's home."""
        if name == "verbs":
            return import_module("envforge.verbs")
        if name[:1].isupper():
            for home in map(import_module, _HOMES):
                if name in home.__all__:
                    return getattr(home, name)
        raise AttributeError(f"module `envforge` has no `{name}`")


def __dir__() -> list[str]:
    nouns = (name for home in map(import_module, _HOMES) for name in home.__all__ if name[:1].isupper())
    return sorted({*globals(), "verbs", *nouns})
