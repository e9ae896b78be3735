"""uv's own cache, which only uv may take apart: it does not notice when an unpacked wheel is gone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from envforge.engines.uv import find_uv
from envforge.errors import EngineFailed
from envforge.run import run

DEADLINE_S = 120.0


def forget_wheels(cache: Path, names: Iterable[str]) -> None:
    """Have uv forget everything it keeps of these packages below ``cache``. Raises EngineFailed."""
    wanted = sorted(set(names))
    if not wanted:
        return
    env = {**os.environ, "UV_NO_CONFIG": "1", "UV_CACHE_DIR": str(cache / "uv"), "NO_COLOR": "1"}
    done = run([find_uv(), "cache", "clean", *wanted], deadline_s=DEADLINE_S, env=env)
    if not done.ok:
        last = (done.stderr.strip().splitlines() or ["it gave no answer"])[-1]
        raise EngineFailed(f"uv's cache cannot be cleaned: {last}", (str(cache / "uv"),))
