"""Make the scripts of a staged prefix say where the prefix will live."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

HEAD_BYTES = 4096
SHEBANG_BYTES = 127


def settle(stage: Path, final: Path) -> list[Path]:
    """Rewrite every script of ``stage/bin`` that says ``stage``, and the hashes that RECORD files keep of them."""
    changed = {path: _rewritten(path, stage, final) for path in _scripts(stage)}
    for record in stage.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        _correct(record, stage, changed)
    return sorted(changed)


def _scripts(stage: Path) -> Iterator[Path]:
    own = os.fsencode(stage)
    for path in sorted((stage / "bin").glob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as script:
                head = script.read(HEAD_BYTES)
            if head.startswith(b"#!") and own in head:
                yield path


def _rewritten(path: Path, stage: Path, final: Path) -> bytes:
    content = _runnable(path.read_bytes().replace(os.fsencode(stage), os.fsencode(final)))
    replace_file(path, content)
    return content


def _runnable(content: bytes) -> bytes:
    """Start Python through the shell where a first line cannot: with blanks in the path, or when it is too long.

    The trick is pip's and uv's: for the shell the second line is a command, for Python a string.
    """
    first, _, rest = content.partition(b"\n")
    python = first.removeprefix(b"#!").strip()
    if b"/bin/python" not in python or (b" " not in python and len(first) <= SHEBANG_BYTES):
        return content
    quoted = b"'" + python.replace(b"'", b"'\"'\"'") + b"'"
    return b"#!/bin/sh\n'''exec' " + quoted + b" \"$0\" \"$@\"\n' '''\n" + rest


def replace_file(path: Path, content: bytes) -> None:
    """Write beside and rename: the old file may be a hard link into a cache."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.chmod(path.stat().st_mode & 0o777)
    beside.replace(path)


def _correct(record: Path, stage: Path, changed: dict[Path, bytes]) -> None:
    """Correct sha256 and size of changed scripts in one RECORD (paths are relative to site-packages)."""
    with record.open(newline="", encoding="utf-8") as text:
        rows, touched = list(csv.reader(text)), False
    for row in rows:
        script = Path(os.path.normpath(record.parent.parent / row[0])) if row and row[0].startswith("..") else None
        if script in changed:
            content = changed[script]
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            row[1:], touched = [f"sha256={digest}", str(len(content))], True
    if touched:
        written = io.StringIO(newline="")
        csv.writer(written, lineterminator="\n").writerows(rows)
        replace_file(record, written.getvalue().encode())
