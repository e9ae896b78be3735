"""A plug-in of conda: `conda doctor` shows what envforge finds in an environment.

conda imports this module at every start, so it imports nothing else; the examination runs in a process of its own.
The hook is called without arguments and gives health checks, each a name and ``action(prefix, verbose)`` that prints
(https://docs.conda.io/projects/conda/en/stable/dev-guide/plugins/health_checks.html).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conda.plugins import hookimpl

NAME = "GPU environment (envforge)"
DEADLINE_S = 90.0
MARKS = {"blocker": "[x]", "degraded": "[!]", "advisory": "[!]", "info": "[i]"}


@hookimpl  # type: ignore[untyped-decorator]
def conda_health_checks() -> Iterator[Any]:
    """Offer the check to `conda doctor`."""
    from conda.plugins.types import CondaHealthCheck

    yield CondaHealthCheck(name=NAME, action=check)


def check(prefix: str, verbose: bool) -> None:
    """Print what the doctor says of a prefix. Never raises: a report that could not be made says so."""
    try:
        for line in report(prefix, verbose):
            sys.stdout.write(f"{line}\n")
    except Exception as error:
        sys.stdout.write(f"[?] {NAME}: could not be examined ({type(error).__name__}: {error})\n")


def report(prefix: str, verbose: bool) -> Iterator[str]:
    """Give the lines: the findings of the environment, and how many the machine has."""
    python = next((path for path in (Path(prefix, "bin/python"), Path(prefix, "python.exe")) if path.exists()), None)
    if python is None:
        yield f"[ok] {NAME}: no Python in it, nothing to examine"
        return
    found, torch = _examined(python)
    inside = [each for each in found if each["place"] == "environment"]
    if not inside:
        yield f"[ok] {NAME}: {'no fault was found' if torch else 'torch is not installed'}"
    for each in inside:
        yield f"{MARKS[each['severity']]} {each['title']} ({each['certainty']}, {each['id']})"
        yield f"    {each['says']}"
        for step in each["remedy"] if verbose else each["remedy"][:1]:
            yield f"    -> {step['text']}" + (f": {step['run']}" if step["run"] else "")
    if outside := len(found) - len(inside):
        yield f"[!] {outside} more about this machine: `envforge doctor`"


def _examined(python: Path) -> tuple[list[dict[str, Any]], bool]:
    """Ask the doctor in a child; give its findings, and whether there is a torch to look into."""
    import json

    from envforge.run import run

    argv = [sys.executable, "-m", "envforge", "doctor", "--python", str(python), "--json"]
    done = run(argv, deadline_s=DEADLINE_S)
    if done.timed_out:
        raise TimeoutError(f"no answer within {DEADLINE_S:.0f} s")
    document = json.loads(done.stdout)
    if document["errors"]:
        raise RuntimeError(document["errors"][0]["message"])
    return list(document["data"]["findings"]), _has_torch(python)


def _has_torch(python: Path) -> bool:
    """Tell whether a torch lies in the prefix's site-packages."""
    prefix = python.parent.parent if python.parent.name == "bin" else python.parent
    places = (*prefix.glob("lib/python3*/site-packages/torch"), prefix / "Lib/site-packages/torch")
    return any(place.is_dir() for place in places)
