"""What a person or a tool did to files: taken out of the shared caches, and told."""

from __future__ import annotations

from pathlib import Path

from envforge.cli.dirs import Dirs, find_caches
from envforge.model import Environment
from envforge.provision import delete_entry, find_damaged, wheel_in


def mend_caches(dirs: Dirs, environment: Environment | None = None) -> tuple[str, ...]:
    """Delete what is damaged in the caches, all of it or what one environment was made from; give its names."""
    from envforge.engines.uv_cache import forget_wheels

    damaged = {entry: wheel_in(entry) for entry in find_damaged(find_caches(dirs), environment)}
    for entry, wheel in damaged.items():
        if wheel is None:
            delete_entry(entry)
    forget_wheels(dirs.cache, filter(None, damaged.values()))
    return tuple(sorted({wheel or entry.name for entry, wheel in damaged.items()}))


def cache_text(entry: str) -> str:
    """Say which package an entry of a cache is, and where."""
    wheel = wheel_in(Path(entry))
    return f"`{wheel}` in `{entry}`" if wheel else f"`{entry}`"


def some(names: tuple[str, ...]) -> str:
    """Name the first few."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"`{name}`" for name in names[:3]) + more
