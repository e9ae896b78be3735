"""Make a conda prefix that was built in one folder say another: for engines that can only build in place.

``conda-meta`` tells which files carry the prefix, and whether as text or, NUL-terminated, inside a binary.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from envforge.engines.scripts import replace_file, settle
from envforge.errors import EngineFailed


def relocate(stage: Path, final: Path) -> None:
    """Rewrite every file that says ``stage``. Raises EngineFailed when ``final`` is longer: binaries cannot hold it."""
    old, new = os.fsencode(stage), os.fsencode(final)
    if len(new) > len(old):
        raise EngineFailed("the prefix is longer than the folder it was built in", (str(stage), str(final)))
    for path, binary in _placed(stage):
        if path.is_file() and not path.is_symlink():
            _rewrite(path, old, new, binary=binary)
    history = stage / "conda-meta" / "history"
    if history.is_file():
        _rewrite(history, old, new, binary=False)
    settle(stage, final)


def _placed(stage: Path) -> Iterator[tuple[Path, bool]]:
    for record in sorted((stage / "conda-meta").glob("*.json")):
        for each in json.loads(record.read_text(encoding="utf-8")).get("paths_data", {}).get("paths", ()):
            if each.get("prefix_placeholder"):
                yield stage / each["_path"], each.get("file_mode") == "binary"


def _rewrite(path: Path, old: bytes, new: bytes, *, binary: bool) -> None:
    content = path.read_bytes()
    if old not in content:
        return
    replace_file(path, _in_binary(content, old, new) if binary else content.replace(old, new))


def _in_binary(content: bytes, old: bytes, new: bytes) -> bytes:
    """Replace inside NUL-terminated strings, which keep their place and length by more NULs at the end."""
    strings = re.compile(re.escape(old) + rb"[^\0]*\0")
    return strings.sub(lambda found: found[0].replace(old, new).ljust(len(found[0]), b"\0"), content)
