"""Make a conda prefix that was built in one folder say another: for engines that can only build in place.

``conda-meta`` tells which files carry the prefix, and whether as text or, NUL-terminated, inside a binary; the sha256
that it keeps of them is corrected.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envforge.engines.commands import GENERATED_MODE, brought, generated
from envforge.engines.scripts import replace_file
from envforge.errors import EngineFailed


def relocate(stage: Path, final: Path) -> None:
    """Rewrite every file that says ``stage``. Raises EngineFailed when ``final`` is longer: binaries cannot hold it."""
    old, new = os.fsencode(stage), os.fsencode(final)
    if len(new) > len(old):
        raise EngineFailed("the prefix is longer than the folder it was built in", (str(stage), str(final)))
    records = read_records(stage)
    placed = dict(_placed(records, stage))
    scripts = [path for path in sorted(stage.glob("bin/*")) if _is_script(path)]
    modes = placed | dict.fromkeys((*scripts, stage / "conda-meta" / "history"), False)
    changed = {path for path, binary in modes.items() if _rewrite(path, old, new, binary=binary)}
    changed |= {path for path in scripts if _reword(path, stage, final, is_brought=path in placed)}
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


def _is_script(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _reword(path: Path, stage: Path, final: Path, *, is_brought: bool) -> bool:
    """Write a command as rattler does; give whether that changed anything."""
    content = path.read_bytes()
    worded = brought(content, stage, final) if is_brought else generated(content, final)
    if worded is None:
        return False
    if not is_brought:
        path.chmod(GENERATED_MODE)
    if worded != content:
        replace_file(path, worded)
    return worded != content


def _correct(path: Path, record: Any, stage: Path, changed: set[Path]) -> None:
    """Correct what a record says of files that are not as the program left them."""
    touched = [each for each in _paths(record) if stage / each["_path"] in changed]
    for each in touched:
        content = (stage / each["_path"]).read_bytes()
        each["sha256_in_prefix"] = hashlib.sha256(content).hexdigest()
    if touched:
        replace_file(path, (json.dumps(record, indent=2) + "\n").encode())
