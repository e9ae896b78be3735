"""Stages: a folder beside the prefix that holds a journal and the environment in the making.

The journal names the prefix, so that whoever comes next, holding the claim, knows that the folder is ours and that
its maker is gone; the environment stands one level deeper, so that the journal is never part of it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envforge.errors import DiskFailed
from envforge.provision.disk import (
    copy_whole,
    delete_tree,
    exchange,
    renamed,
    shielded,
    sync_folder,
    write_whole,
)
from envforge.provision.marker import delete_environment, read_marker
from envforge.provision.place import Place
from envforge.wire import to_json

JOURNAL = "journal.json"


def now() -> str:
    """Tell the time as RFC 3339, in UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@contextmanager
def staged(place: Place, created: str) -> Iterator[Path]:
    """Give the folder to build in; whatever happens inside, nothing of the stage is left at the end.

    A swap that failed half-way is put right first. Where the disk refuses that too, what failed first is raised, and
    the next run does it.
    """
    home = _fresh(place)
    try:
        write_journal(home, place, created)
        yield home / "prefix"
    except BaseException:
        with suppress(OSError, DiskFailed):
            _clear(home, place, created)
        raise
    _clear(home, place, created)


def _clear(home: Path, place: Place, created: str) -> None:
    with shielded():
        _put_right(home, place, created)
        discard(home)


def _fresh(place: Place) -> Path:
    number = 1
    while os.path.lexists(place.stage(number)):
        number += 1
    place.stage(number).mkdir(mode=0o755)
    return place.stage(number)


def write_journal(home: Path, place: Place, created: str) -> None:
    journal = {"schema": "envforge.journal/1", "prefix": str(place.prefix), "created": created}
    journal |= {"pid": str(os.getpid()), "host": socket.gethostname()}
    write_whole(home / JOURNAL, to_json(journal) + "\n")


def discard(home: Path) -> None:
    """Delete a stage, its journal last, so that an interrupted deletion is still known as ours."""
    for part in ("trial", "prefix", "draft", "old", "gone"):
        if os.path.lexists(home / part):
            delete_tree(home / part)
    (home / JOURNAL).unlink(missing_ok=True)
    with suppress(OSError):
        home.rmdir()


def swap(stage: Path, place: Place) -> None:
    """Put a finished stage where the prefix is; keep what stood there as the previous generation.

    One that lies in an image's layer cannot be renamed: it is copied first, then deleted where it stands.
    """
    with shielded():
        if not os.path.lexists(place.prefix) or _is_empty(place.prefix):
            stage.rename(place.prefix)
            done = True
        elif done := exchange(stage, place.prefix):
            retire(stage, place)
        elif done := renamed(place.prefix, stage.with_name("old")):
            _put_in(stage, place)
    if not done:
        copy_whole(place.prefix, stage.with_name("old"))
        with shielded():
            delete_environment(place.prefix)
            _put_in(stage, place)
    sync_folder(place.prefix.parent)


def _put_in(stage: Path, place: Place) -> None:
    stage.rename(place.prefix)
    retire(stage.with_name("old"), place)


def retire(old: Path, place: Place) -> None:
    """Make a replaced environment, which stands in a stage, the previous generation; the one before it goes."""
    if os.path.lexists(place.previous) and not renamed(place.previous, old.with_name("gone")):
        delete_environment(place.previous)
    old.rename(place.previous)


def sweep(place: Place) -> tuple[Path, ...]:
    """Clear what dead processes left beside this prefix; call it under the claim. Gives what was cleared.

    A swap that was cut in two is put right first: the old environment is never deleted with the stage.
    """
    return tuple(home for home in tuple(place.stages()) if _sweep(home, place))


def _sweep(home: Path, place: Place) -> bool:
    journal = _read_journal(home)
    if journal is None:
        return _sweep_unborn(home)
    if journal.get("prefix") != str(place.prefix):
        return False
    _clear(home, place, str(journal.get("created")))
    return True


def _sweep_unborn(home: Path) -> bool:
    """Clear a stage whose maker died before its journal was whole; anything else without a journal is not ours."""
    if not home.is_dir() or any(JOURNAL not in path.name for path in home.iterdir()):
        return False
    delete_tree(home)
    return True


def _put_right(home: Path, place: Place, created: str) -> None:
    """Put right a swap that was cut: what it took away comes back, or becomes the previous generation.

    Where all three stand, the prefix could not be renamed and was being deleted: ``old`` is its whole copy.
    """
    standing = read_marker(home / "prefix")
    swapped_out = standing is not None and standing.created != created
    old = home / "old" if (home / "old").is_dir() else home / "prefix"
    if not swapped_out and old.name != "old":
        return
    if os.path.lexists(place.prefix) and old.name == "old" and os.path.lexists(home / "prefix"):
        delete_environment(place.prefix)
    if os.path.lexists(place.prefix):
        retire(old, place)
    else:
        old.rename(place.prefix)


def _read_journal(home: Path) -> dict[str, Any] | None:
    try:
        plain = json.loads((home / JOURNAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plain if isinstance(plain, dict) and plain.get("schema") == "envforge.journal/1" else None


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())
