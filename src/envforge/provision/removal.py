"""Taking environments away, back, and apart from what is not ours."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from envforge.errors import Busy, UsageError
from envforge.model import Emit, Environment
from envforge.provision.claim import claim
from envforge.provision.disk import copy_whole, delete_tree, disk_error, exchange, renamed, shielded
from envforge.provision.marker import delete_environment, is_ours, read_environment, read_marker
from envforge.provision.place import Place, places_in
from envforge.provision.registry import forget
from envforge.provision.stage import now, staged, swap, sweep

CACHED = ("pkgs", "repodata", "uv", "wheels", "downloads", "unpacked")


def remove(prefix: Path, *, registry: Path, emit: Emit, timeout_s: float | None = None) -> None:
    """Take an environment of ours away, with its previous generation: out of sight in one step, then deleted.

    Raises UsageError for anything that is not ours.
    """
    place = Place.at(prefix)
    if not is_ours(place.prefix):
        raise UsageError("this is not an environment that envforge made", (str(place.prefix),))
    try:
        with claim(place, timeout_s=timeout_s, emit=emit):
            sweep(place)
            _remove(place)
        forget(registry, place.prefix)
    except OSError as error:
        raise disk_error(error, place.prefix) from error


def _remove(place: Place) -> None:
    marker = read_marker(place.prefix)
    with staged(place, marker.created if marker else now()) as stage, shielded():
        for each, aside in ((place.previous, stage.with_name("gone")), (place.prefix, stage)):
            if os.path.lexists(each) and not renamed(each, aside):
                delete_environment(each)


def rollback(prefix: Path, *, emit: Emit, timeout_s: float | None = None) -> Environment:
    """Put the previous generation back; the present one becomes the previous. Raises UsageError when there is none."""
    place = Place.at(prefix)
    try:
        with claim(place, timeout_s=timeout_s, emit=emit):
            sweep(place)
            marker = read_marker(place.previous)
            if marker is None or not is_ours(place.prefix):
                raise UsageError("there is no previous generation", (str(place.prefix),))
            _exchange(place, marker.created)
    except OSError as error:
        raise disk_error(error, place.prefix) from error
    back = read_environment(place.prefix)
    if back is None:
        raise UsageError("the previous generation is not whole", (str(place.prefix),), ("make it anew with `create`",))
    return back


def _exchange(place: Place, created: str) -> None:
    """Swap the two generations; where neither can be renamed, a copy of the previous one is put in."""
    with staged(place, created) as stage:
        with shielded():
            if exchange(place.previous, place.prefix) or _by_turns(place, stage.with_name("old")):
                return
        copy_whole(place.previous, stage)
        swap(stage, place)


def _by_turns(place: Place, old: Path) -> bool:
    """Swap by three renames; False, and nothing done, where one is refused."""
    if not renamed(place.prefix, old):
        return False
    if not renamed(place.previous, place.prefix):
        old.rename(place.prefix)
        return False
    old.rename(place.previous)
    return True


def clean(envs_dir: Path, prefixes: tuple[Path, ...], *, emit: Emit) -> tuple[Path, ...]:
    """Clear what dead processes left beside these prefixes and in the folder of environments; give what went.

    Never touches what carries no journal of ours, nor a prefix that someone works on now. Raises DiskFailed.
    """
    gone: list[Path] = []
    try:
        places = {*places_in(envs_dir), *map(Place.at, prefixes)}
        for place in sorted(places, key=lambda each: str(each.prefix)):
            if any(place.stages()):
                with suppress(Busy), claim(place, timeout_s=0.0, emit=emit):
                    gone += sweep(place)
    except OSError as error:
        raise disk_error(error, envs_dir) from error
    return tuple(gone)


def delete_cache(cache: Path) -> int:
    """Delete the package caches of envforge; environments stay whole, hard links keep their files. Gives the bytes."""
    size_bytes = 0
    for part in CACHED:
        if (cache / part).is_dir():
            size_bytes += _size(cache / part)
            delete_tree(cache / part)
    return size_bytes


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
