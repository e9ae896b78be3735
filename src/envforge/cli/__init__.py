"""The command line: parse, call, render, exit. The only room that composes the others."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

YOUNG_OBJECTS = 200_000  # what imports make is no garbage; at Python's 700, looking for it takes a tenth of a short run


def main() -> NoReturn:
    """Run the command line; never returns. ``--version`` alone is answered before anything heavy is imported."""
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        from envforge import __version__

        sys.stdout.write(f"envforge {__version__}\n")
        sys.exit(0)
    gc.set_threshold(YOUNG_OBJECTS)
    from envforge.cli.app import run

    code = run(words)
    gc.freeze()  # to look for garbage among all that was imported, on the way out, takes 20 ms
    sys.exit(code)
