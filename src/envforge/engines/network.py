"""Rattler's client, with what the user has configured for rattler's tools: mirrors, proxies, certificates, S3.

Files: ``rattler/config.toml`` and ``envforge/config.toml``, in ``/etc`` and in the user's configuration folder. Of
several mirrors rattler (0.28) takes the next when one is out of reach, not when it lacks a file: then we turn the list.
Nothing here may be called in the main process.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from envforge.errors import UsageError

USER_AGENT = "envforge/1"


@lru_cache
def make_client(turn: int = 0) -> Any:
    """Make a client, once: it reads the system's certificates. ``turn`` is how far lists of mirrors are turned.

    Raises UsageError for a file that is none.
    """
    from rattler import Client

    config = _config(turn)
    if not config.loaded_from:
        return Client.default_client(user_agent=USER_AGENT)
    return Client.from_config(config, user_agent=USER_AGENT)


def count_mirrors(_send: Callable[[Any], None]) -> int:
    """Give how many mirrors the channel has that has most: so often another turn may help."""
    return max(map(len, _config(0).mirrors.values()), default=0)


def _config(turn: int) -> Any:
    from rattler import Config
    from rattler.exceptions import ConfigError

    try:
        found = Config.load_from_default_locations("envforge")
        if not turn or not found.mirrors:
            return found
        with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as turned:
            turned.write(_turned(found.mirrors, turn))
            turned.flush()
            there = [each for each in Config.config_search_paths("envforge") if each[0].is_file()]
            return Config.load_from_locations([*there, (Path(turned.name), False)])
    except ConfigError as error:
        raise UsageError(f"rattler's configuration cannot be read: {error}") from None


def _turned(mirrors: dict[str, list[str]], turn: int) -> str:
    """Write mirrors as TOML, whose strings are JSON's here, each list turned."""
    lists = {url: [*each[turn % len(each) :], *each[: turn % len(each)]] for url, each in mirrors.items() if each}
    return "[mirrors]\n" + "".join(f"{json.dumps(url)} = {json.dumps(each)}\n" for url, each in lists.items())
