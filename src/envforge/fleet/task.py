"""What a node does: run one command, with a watchdog, and give its answer."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from envforge.model import value
from envforge.run import run
from envforge.run.watchdog import TIMED_OUT

OWN = "envforge"
TAIL = 2000
WATCHED_S = 5.0  # the watchdog ends the command at the deadline; this is for one that cannot be ended


@value
class Order:
    """A command for a node. `envforge` as its first word is the node's own; ``environ`` is laid over the node's."""

    argv: tuple[str, ...]
    environ: tuple[tuple[str, str], ...] = ()


@value
class Answer:
    """How a command ended on a node. ``rc`` is 128 + N where signal N ended it, None where it was left behind.

    ``document`` is the JSON document that it printed; ``said`` the end of what it wrote to stderr, or of what it
    printed that is no JSON.
    """

    host: str
    rc: int | None
    took_s: float
    document: Any = None
    said: str = ""
    timed_out: bool = False


def run_command(argv: Sequence[str], deadline_s: float, environ: Sequence[tuple[str, str]] | None = None) -> Answer:
    """Run a command here, for at most ``deadline_s``; it ends with this process, too. Raises EngineFailed."""
    words = (sys.executable, "-m", OWN, *argv[1:]) if argv[0] == OWN else tuple(argv)
    watched = (sys.executable, "-m", "envforge.run.watchdog", f"{deadline_s:.3f}", *words)
    done = run(watched, deadline_s=deadline_s + WATCHED_S, env={**os.environ, **dict(environ or ())})
    document = _document(done.stdout)
    return Answer(
        host=socket.gethostname(),
        rc=done.returncode,
        took_s=done.took_s,
        document=document,
        said=(done.stderr if document is not None else done.stderr or done.stdout)[-TAIL:].strip(),
        timed_out=done.timed_out or (done.returncode == TIMED_OUT and done.took_s >= deadline_s),
    )


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
