"""How an environment gets its files from the caches."""

from __future__ import annotations

import os
from collections.abc import Mapping

from envforge.errors import UsageError

VARIABLE = "ENVFORGE_LINK_MODE"
WORDS = ("hardlink", "copy")


def copies(environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether environments get files of their own, not hard links into the caches that they all share.

    ``ENVFORGE_LINK_MODE`` is ``hardlink`` when it is not set. Raises UsageError for another word.
    """
    word = environ.get(VARIABLE) or WORDS[0]
    if word not in WORDS:
        raise UsageError(f"`{VARIABLE}` must be `hardlink` or `copy`, not `{word}`")
    return word == "copy"
