"""What a look at every file found wrong, kept in the environment until it is made anew."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Literal

from envforge.model import value
from envforge.provision.disk import write_whole
from envforge.wire import from_plain, to_json

DAMAGE = Path("etc/envforge/damage.json")


@value
class Flaw:
    """A file that is not as its package brought it; ``path`` is relative to the prefix, or to the cache's entry."""

    package: str
    path: str
    what: Literal["changed", "missing", "unreadable"]


@value
class Damage:
    """What was found: how many files were looked at, those that are wrong, and the cache's entries that are wrong."""

    files: int
    flaws: tuple[Flaw, ...] = ()
    entries: tuple[str, ...] = ()


def read_damage(prefix: Path) -> Damage | None:
    """Read what the last deep look found wrong; None when it found nothing, or there was none."""
    try:
        return from_plain(Damage, json.loads((prefix / DAMAGE).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def store_damage(prefix: Path, damage: Damage) -> None:
    """Keep what was found, or forget what was found before; an environment that cannot be written is left as it is."""
    with suppress(OSError):
        if damage.flaws:
            write_whole(prefix / DAMAGE, to_json(damage) + "\n")
        else:
            (prefix / DAMAGE).unlink(missing_ok=True)
