"""Room on the disk, before anything starts."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from envforge.errors import DiskFailed
from envforge.provision import Place, check_room, measure_room
from tiny import TinyConda, package, section


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB and 40 files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=40", "none", disk], check=False)
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_need_is_counted_from_the_sizes_in_the_lock(tmp_path):
    part = section(package("python", size_bytes=10_000_000), package("unknown", size_bytes=None))
    room = measure_room(part, Place.at(tmp_path / "envs/demo"), tmp_path / "cache")
    assert (10_000_000, 35_000_000, True) == (room.download_bytes, room.unpacked_bytes, room.linked)


def test_what_the_cache_holds_is_not_downloaded(tmp_path):
    (tmp_path / "python-3.11.7-0/info").mkdir(parents=True)
    (tmp_path / "python-3.11.7-0/info/index.json").write_text("{}")
    assert 1000 == measure_room(section(), Place.at(tmp_path / "demo"), tmp_path).download_bytes


def test_copies_need_room_beside_what_they_are_copied_from(tmpfs):
    subprocess.run(["mount", "-o", "remount,nr_inodes=4000", tmpfs], check=True)
    part = section(package("python", size_bytes=150_000))
    room = measure_room(part, Place.at(tmpfs / "demo"), tmpfs / "cache")
    check_room(room, part)
    with pytest.raises(DiskFailed, match="about 1 MiB are needed here"):
        check_room(replace(room, linked=False), part)


def test_a_full_disk_is_refused_before_anything_starts(make, tmpfs):
    part = section(package("python", size_bytes=2_000_000))
    with pytest.raises(DiskFailed, match=r"about 7 MiB are needed here, and 1 MiB are free") as caught:
        make(part, tmpfs / "envs" / "demo")
    assert (str(tmpfs / "envs"),) == caught.value.where
    assert [] == list(tmpfs.iterdir())


def test_a_full_cache_disk_is_named(make, tmpfs):
    part = section(package("python", size_bytes=2_000_000))
    with pytest.raises(DiskFailed) as caught:
        make(part, packages=tmpfs / "cache")
    assert (str(tmpfs / "cache"),) == caught.value.where


def test_too_few_files_left_are_refused(tmpfs, tmp_path):
    subprocess.run(["mount", "-o", "remount,size=100m", tmpfs], check=True)
    part = section(package("python", size_bytes=10_000_000))
    room = measure_room(part, Place.at(tmpfs / "demo"), tmp_path / "cache")
    with pytest.raises(DiskFailed, match=r"about 712 files are needed here, and \d+ more are allowed"):
        check_room(room, part)


def test_a_disk_that_fills_up_under_way_leaves_nothing(make, tmpfs):
    def fill(artefact, stage):
        stage.mkdir(exist_ok=True)
        (stage / "large").write_bytes(b"x" * (2 << 20))

    with pytest.raises(DiskFailed, match="No space left on device"):
        make(prefix=tmpfs / "demo", conda=TinyConda(before=fill))
    assert [] == list(tmpfs.iterdir())


def test_a_disk_that_fills_up_under_way_leaves_the_old_environment(make, tmpfs):
    old = make(prefix=tmpfs / "demo")

    def fill(artefact, stage):
        stage.mkdir(exist_ok=True)
        (stage / "large").write_bytes(b"x" * (2 << 20))

    with pytest.raises(DiskFailed):
        make(section(package("python", "3.12")), prefix=tmpfs / "demo", conda=TinyConda(before=fill))
    assert old == make(prefix=tmpfs / "demo")


def test_a_read_only_disk_is_named(make, tmpfs):
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    with pytest.raises(DiskFailed, match="Read-only file system") as caught:
        make(prefix=tmpfs / "demo")
    assert (str(tmpfs),) == caught.value.where
