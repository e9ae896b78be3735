"""File systems that lack what packages need, or hold on to what is to go."""

import subprocess
from shutil import which

import pytest

from envforge.errors import DiskFailed
from envforge.provision import Place, read_environment, remove
from envforge.run import lack
from faults.mounts import mounted
from tiny import TinyConda, quiet


def test_every_file_system_of_a_developer_has_what_packages_need(tmp_path):
    assert [None, None] == [lack(tmp_path, lived_in=each) for each in (True, False)]
    assert [] == list(tmp_path.iterdir())


def test_a_disk_that_starts_no_programs_is_told_from_one_that_does(tmp_path):
    with mounted("tmpfs", tmp_path / "disk", "noexec,size=1m") as disk:
        assert ("is mounted with `noexec`: no program can be started", None) == (
            lack(disk, lived_in=True),
            lack(disk, lived_in=False),
        )


def test_a_disk_without_inodes_says_so(make, tmp_path):
    with mounted("tmpfs", tmp_path / "disk", "nr_inodes=40,size=1m") as disk:
        with pytest.raises(DiskFailed) as caught:
            make(prefix=disk / "envs/demo", conda=TinyConda(files=60))
        assert "no more files can be made on this disk: all its 40 inodes are in use" == caught.value.message
        assert [] == list((disk / "envs").iterdir())


def test_the_longest_name_works(make, envs):
    made = make(prefix=envs / ("n" * 234))
    assert made == read_environment(made.prefix)


def test_an_immutable_file_is_named(make, envs, tmp_path):
    made = make()
    file = envs / "demo/share/python/0.txt"
    if not which("chattr") or subprocess.run(["chattr", "+i", file], capture_output=True, check=False).returncode:
        pytest.skip("no file can be made immutable here")
    try:
        with pytest.raises(DiskFailed, match="it cannot be deleted: Operation not permitted") as caught:
            remove(made.prefix, registry=tmp_path / "registry", emit=quiet)
        (stage,) = Place.at(made.prefix).stages()
        assert ((str(stage / "prefix/share/python/0.txt"),), True) == (
            caught.value.where,
            "immutable" in caught.value.hints[0],
        )
    finally:
        subprocess.run(["chattr", "-R", "-i", envs], check=False, capture_output=True)
