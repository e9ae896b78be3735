"""Write the commands of a conda prefix as rattler writes them, whoever installed them.

conda, mamba and rattler (26.7, 2.8, 0.28) generate the same commands for noarch Python packages, but for blanks and
permissions. Where a first line would be too long or have blanks, rattler starts Python through the shell; conda and
mamba do so too in what they generate. But in a script that a package brings, conda then writes ``#!/usr/bin/env
python``, which starts whatever Python comes first; so does mamba where it is too long, and leaves blanks in it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

SHEBANG_BYTES = 127
GENERATED_MODE = 0o775
_PYTHON = rb"(?P<name>python[0-9.]*)"
_BODY = re.compile(
    rb"(# -\*- coding: utf-8 -\*-\nimport re\nimport sys\n\nfrom [\w.]+ import \w+\n\nif __name__ == '__main__':\n)"
    rb"[ \t]+(sys\.argv\[0\] = re\.sub\(r'\(-script\\\.pyw\?\|\\\.exe\)\?\$', '', sys\.argv\[0\]\)\n)"
    rb"[ \t]+(sys\.exit\([\w.]+\(\)\)\n)"
)


def generated(content: bytes, final: Path) -> bytes | None:
    """Give a command that an installer generated in ``final/bin`` as rattler does; None for any other script."""
    worded, bodies = _BODY.subn(rb"\1\t\2\t\3", content)
    return _with_first_line(worded, final, b"#!(?!)") if bodies else None


def brought(content: bytes, stage: Path, final: Path) -> bytes:
    """Give a script that its package brought, installed in ``stage``, as rattler would have put it into ``final``."""
    through_env = re.match(rb"#!/usr/bin/env " + _PYTHON + rb"\n", content)
    lost = through_env and not _fits(_python(stage, through_env["name"]))
    return _with_first_line(content, final, rb"#!/usr/bin/env " + _PYTHON + rb"\n" if lost else b"#!(?!)")


def _with_first_line(content: bytes, final: Path, other: bytes) -> bytes:
    """Write the first line anew where it starts Python of ``final``, directly or through the shell, or is ``other``."""
    own = re.escape(os.fsencode(final / "bin")) + b"/" + _PYTHON
    starts = (rb"#!" + own + rb"\n", rb"#!/bin/sh\n'''exec' \"" + own + rb"\" \"\$0\" \"\$@\" #'''\n", other)
    found = next(filter(None, (re.match(each, content) for each in starts)), None)
    if found is None:
        return content
    python = _python(final, found["name"])
    line = b"#!" + python if _fits(python) else b"#!/bin/sh\n'''exec' \"" + python + b'" "$0" "$@" #\'\'\''
    return line + b"\n" + content[found.end() :]


def _python(prefix: Path, name: bytes) -> bytes:
    return os.fsencode(prefix / "bin") + b"/" + name


def _fits(python: bytes) -> bool:
    return b" " not in python and len(b"#!" + python) <= SHEBANG_BYTES
