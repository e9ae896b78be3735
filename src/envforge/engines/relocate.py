"""Make a conda prefix that was built in one folder say another: for engines that can only build in place.

``conda-meta`` tells which files carry the prefix, and whether as text or, NUL-terminated, inside a binary; the sha256
that it keeps of them is corrected. Where the first line of a script would have blanks or be too long, conda writes
``#!/usr/bin/env python`` (mamba too, when it is too long): that would start whatever Python comes first, so such a line
is made to name the prefix's own again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envforge.engines.scripts import SHEBANG_BYTES, replace_file, runnable, settle
from envforge.errors import EngineFailed

_ANY_PYTHON = re.compile(rb"#!/usr/bin/env (python[0-9.]*)(?=[ \n])")


def relocate(stage: Path, final: Path) -> None:
    """Rewrite every file that says ``stage``. Raises EngineFailed when ``final`` is longer: binaries cannot hold it."""
    old, new = os.fsencode(stage), os.fsencode(final)
    if len(new) > len(old):
        raise EngineFailed("the prefix is longer than the folder it was built in", (str(stage), str(final)))
    records = read_records(stage)
    changed = {path for path, binary in _placed(records, stage) if _rewrite(path, old, new, binary=binary)}
    changed |= {path for path, _ in _placed(records, stage) if _own_python(path, stage, final)}
    _rewrite(stage / "conda-meta" / "history", old, new, binary=False)
    changed |= set(settle(stage, final))
    reseal(records, stage, changed)


def read_records(stage: Path) -> dict[Path, Any]:
    """Read what ``conda-meta`` says of every package."""
    return {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(stage.glob("conda-meta/*.json"))}


def reseal(records: Mapping[Path, Any], stage: Path, changed: set[Path]) -> None:
    """Write the sha256 into the records that these files of ``stage`` have now."""
    for path, record in records.items():
        _correct(path, record, stage, changed)


def _placed(records: Mapping[Path, Any], stage: Path) -> Iterator[tuple[Path, bool]]:
    for record in records.values():
        for each in _paths(record):
            if each.get("prefix_placeholder"):
                yield stage / each["_path"], each.get("file_mode") == "binary"


def _paths(record: Any) -> list[Any]:
    return list(record.get("paths_data", {}).get("paths", ()))


def _rewrite(path: Path, old: bytes, new: bytes, *, binary: bool) -> bool:
    """Rewrite one file; give whether it said ``old``."""
    content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    if old not in content:
        return False
    replace_file(path, in_binary(content, old, new) if binary else content.replace(old, new))
    return True


def in_binary(content: bytes, old: bytes, new: bytes) -> bytes:
    """Replace inside NUL-terminated strings, which keep their place and length by more NULs at the end."""
    strings = re.compile(re.escape(old) + rb"[^\0]*\0")
    return strings.sub(lambda found: found[0].replace(old, new).ljust(len(found[0]), b"\0"), content)


def _own_python(path: Path, stage: Path, final: Path) -> bool:
    """Name the prefix's Python in a script that lost it to ``env``; give whether it had."""
    if path.parent != stage / "bin" or not path.is_file() or path.is_symlink():
        return False
    content = path.read_bytes()
    found = _ANY_PYTHON.match(content)
    lost = found and (b" " in os.fsencode(stage) or len(f"#!{stage}/bin/") + len(found[1]) > SHEBANG_BYTES)
    if not found or not lost:
        return False
    replace_file(path, runnable(b"#!" + os.fsencode(final / "bin") + b"/" + content[found.start(1) :]))
    return True


def _correct(path: Path, record: Any, stage: Path, changed: set[Path]) -> None:
    """Correct what a record says of files that are not as the program left them."""
    touched = [each for each in _paths(record) if stage / each["_path"] in changed]
    for each in touched:
        content = (stage / each["_path"]).read_bytes()
        each["sha256_in_prefix"] = hashlib.sha256(content).hexdigest()
    if touched:
        replace_file(path, (json.dumps(record, indent=2) + "\n").encode())
