"""Ask an environment's Python about its torch: one child, and one more for each thing that may be to blame."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any

from envforge.errors import EngineFailed
from envforge.model import Reading
from envforge.run import Completed, run

DEADLINE_S = 60.0
SUSPECTS = ("LD_LIBRARY_PATH", "LD_PRELOAD", "CUDA_VISIBLE_DEVICES", "PYTHONPATH")


def probe_environment(
    python: str,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
    deadline_s: float = DEADLINE_S,
) -> Reading:
    """Give the reading ``env_probe`` of the environment that this Python belongs to.

    It starts as a user would, with this process's variables and directory, or the ones given. When torch does not
    work so, ``ab_tests`` says whether it does with one thing changed: that thing is then the cause. A child that
    crashes or passes the deadline leaves what it had told. The reading has an error when Python did not start.
    """
    began = time.monotonic()
    variables = dict(os.environ if environ is None else environ)
    try:
        done = _ask(python, variables, cwd, deadline_s)
        found = _told(done)
        if not found:
            last = done.stderr.strip().splitlines()[-1:] or [_ending(done)]
            return Reading(source="env_probe", error=f"`{python}` told nothing: {last[0]}")
        if not _works(found):
            compared = dict(_compared(python, variables, cwd, deadline_s, found))
            found |= {"ab_tests": compared} if compared else {}
    except EngineFailed as error:
        return Reading(source="env_probe", error=error.message, took_s=time.monotonic() - began)
    return Reading(source="env_probe", value=found, took_s=time.monotonic() - began)


def _ask(python: str, variables: Mapping[str, str], cwd: str | None, deadline_s: float, *flags: str) -> Completed:
    script = (files("envforge.doctor") / "inside" / "envforge_probe.py").read_text(encoding="utf-8")
    quiet = {**variables, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    return run([python, *flags, "-c", script], deadline_s=deadline_s, env=quiet, cwd=cwd)


def _told(done: Completed) -> dict[str, Any]:
    """Merge the lines of a probe; a child that died or hung says so in the place where it was."""
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        with suppress(ValueError):
            piece = json.loads(line)
            found |= piece if isinstance(piece, dict) else {}
    if not found or done.ok:
        return found
    if "import" not in found:
        return found | {"import": "failed", "error": _ending(done), "smoke_kernel": "not run"}
    if found.get("smoke_kernel") == "ok":
        return found
    return found | {"smoke_kernel": f"crashed: {_ending(done)}"}


def _ending(done: Completed) -> str:
    """Say how a child ended, with its last words."""
    words = (done.stderr.strip().splitlines() or [""])[-1][:500]
    if done.timed_out:
        return "deadline exceeded"
    if done.returncode is not None and done.returncode < 0:
        return f"{words} ({signal.Signals(-done.returncode).name})".strip()
    return words or f"exit {done.returncode}"


def _works(found: Mapping[str, Any]) -> bool:
    """Tell whether there is nothing to compare: torch runs, or it is imported and has no CUDA to run with."""
    torch = found.get("torch") or {}
    if not torch:
        return True
    if found.get("import") != "ok":
        return False
    return found.get("smoke_kernel") == "ok" or torch.get("cuda") is None


def _compared(
    python: str, variables: Mapping[str, str], cwd: str | None, deadline_s: float, base: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Ask again with one thing changed each time; give ``ok`` where that helps, else what failed then."""
    for name in SUSPECTS:
        if variables.get(name) is not None:
            without = {key: item for key, item in variables.items() if key != name}
            yield f"without {name}", _better(base, _told(_ask(python, without, cwd, deadline_s)))
    prefix, file = str(base.get("prefix")), str((base.get("torch") or {}).get("file"))
    if not file.startswith(prefix):
        apart = {**variables, "PYTHONNOUSERSITE": "1"}
        yield "PYTHONNOUSERSITE=1", _better(base, _told(_ask(python, apart, cwd, deadline_s)))
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as empty:
            yield "from another directory", _better(base, _told(_ask(python, variables, empty, deadline_s)))


def _better(base: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Tell whether the changed probe gets further than the first: it imports, or CUDA is there."""
    if base.get("import") != "ok":
        return "ok" if other.get("import") == "ok" else str(other.get("error"))
    if other.get("smoke_kernel") == "ok":
        return "ok"
    return str(other.get("error") or other.get("smoke_kernel"))
