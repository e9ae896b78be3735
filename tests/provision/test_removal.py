"""Taking environments away, and nothing else."""

import subprocess

import pytest

from envforge.errors import DiskFailed, UsageError
from envforge.provision import (
    Place,
    clean,
    delete_cache,
    list_environments,
    read_environment,
    register,
    remove,
    rollback,
)
from envforge.provision.stage import now, write_journal
from tiny import package, quiet, section


def gone(envs, registry, prefix=None):
    remove(prefix or envs / "demo", registry=registry, emit=quiet)


def test_an_environment_goes_with_all_that_stood_beside_it(make, envs, listed, tmp_path):
    make()
    make(section(package("python", "3.12")))
    gone(envs, tmp_path / "registry")
    assert [] == listed(envs)


def test_an_environment_elsewhere_is_forgotten(make, envs, tmp_path):
    register(tmp_path / "registry", make(prefix=tmp_path / "x"), envs)
    gone(envs, tmp_path / "registry", tmp_path / "x")
    assert '"prefixes": []' in (tmp_path / "registry").read_text()


def test_half_an_environment_of_ours_can_be_removed(make, envs, listed, tmp_path):
    make()
    (envs / "demo/conda-meta/envforge.json").write_text("{")
    gone(envs, tmp_path / "registry")
    assert [] == listed(envs)


@pytest.mark.parametrize("what", ["nothing", "file", "folder", "conda"])
def test_what_is_not_ours_stays(envs, listed, tmp_path, what):
    if what == "file":
        (envs / "demo").write_text("")
    elif what != "nothing":
        (envs / "demo" / ("conda-meta" if what == "conda" else "x")).mkdir(parents=True)
    before = listed(envs)
    with pytest.raises(UsageError, match="not an environment that envforge made"):
        gone(envs, tmp_path / "registry")
    assert before == listed(envs)


def test_a_link_out_of_an_environment_is_not_followed(make, envs, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("")
    make()
    (envs / "demo/share/link").symlink_to(tmp_path / "precious")
    gone(envs, tmp_path / "registry")
    assert (tmp_path / "precious/file").exists()


@pytest.mark.parametrize("name", ["with blanks", "größe-環境", "$it `is` <here>;", "-dash", "[x]*"])
def test_any_path_can_be_updated_turned_back_cleaned_and_removed(make, envs, listed, tmp_path, name):
    old = make(prefix=envs / name)
    make(section(package("python", "3.12")), prefix=envs / name)
    assert old == rollback(envs / name, emit=quiet)
    left = leave_stage(envs, name)
    assert (left,) == clean(envs, (), emit=quiet)
    gone(envs, tmp_path / "registry", envs / name)
    assert [] == listed(envs)


def test_behind_a_link_everything_happens_where_it_leads(make, envs, listed, tmp_path):
    (tmp_path / "disk").mkdir()
    (envs / "demo").symlink_to(tmp_path / "disk/demo")
    old = make()
    make(section(package("python", "3.12")))
    assert old == rollback(envs / "demo", emit=quiet)
    gone(envs, tmp_path / "registry")
    assert ([], ["demo"]) == (listed(tmp_path / "disk"), listed(envs))
    assert old.prefix == make().prefix


@pytest.fixture
def tmpfs(tmp_path):
    disk = tmp_path / "mounted"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=False).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_prefix_on_another_disk_is_updated_and_removed(make, tmpfs, listed, tmp_path):
    old = make(prefix=tmpfs / "demo")
    make(section(package("python", "3.12")), prefix=tmpfs / "demo")
    assert old == rollback(tmpfs / "demo", emit=quiet)
    gone(tmpfs, tmp_path / "registry", tmpfs / "demo")
    assert [] == listed(tmpfs)


def test_where_a_disk_is_mounted_nothing_can_be_swapped(make, tmpfs):
    with pytest.raises(UsageError, match="where a file system is mounted") as refused:
        make(prefix=tmpfs)
    assert (f"put it into a folder there, `--prefix {tmpfs}/env`",) == refused.value.hints


@pytest.mark.parametrize("what", ["remove", "rollback", "update"])
def test_on_a_read_only_disk_nothing_changes_and_that_is_said(make, tmpfs, tmp_path, what):
    make(prefix=tmpfs / "demo")
    now_there = make(section(package("python", "3.12")), prefix=tmpfs / "demo")
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    with pytest.raises(DiskFailed, match="Read-only file system"):
        {
            "remove": lambda: gone(tmpfs, tmp_path / "registry", tmpfs / "demo"),
            "rollback": lambda: rollback(tmpfs / "demo", emit=quiet),
            "update": lambda: make(section(package("python", "3.13")), prefix=tmpfs / "demo"),
        }[what]()
    assert now_there == read_environment(tmpfs / "demo")


def leave_stage(envs, name="demo", pid=4711):
    stage = envs / f".{name}.envforge-{pid}-1"
    (stage / "prefix/lib").mkdir(parents=True)
    (stage / "prefix/lib/file").write_text("")
    write_journal(stage, Place.at(envs / name), now())
    return stage


def test_clean_clears_what_dead_processes_left(make, envs, listed):
    make()
    left = (leave_stage(envs), leave_stage(envs, "other"))
    assert left == clean(envs, (), emit=quiet)
    assert [".demo.envforge-lock", "demo"] == listed(envs)


def test_clean_leaves_what_has_no_journal_of_ours(envs, listed):
    (leave_stage(envs) / "journal.json").unlink()
    leave_stage(envs, "other").rename(envs / ".third.envforge-4711-1")
    before = listed(envs)
    assert () == clean(envs, (), emit=quiet)
    assert before == [name for name in listed(envs) if not name.endswith("lock")]


def test_the_next_create_clears_what_a_dead_one_left(make, envs, listed):
    leave_stage(envs)
    (envs / ".demo.envforge-4712-1").mkdir()
    (envs / ".demo.envforge-4713-1").mkdir()
    (envs / ".demo.envforge-4713-1/.journal.json.4713").write_text('{"sch')
    make()
    assert [".demo.envforge-lock", "demo"] == listed(envs)


def test_a_swap_that_was_cut_after_the_exchange_keeps_the_old_generation(make, envs, listed):
    old = make()
    new = make(section(package("python", "3.12")))
    stage = envs / ".demo.envforge-4711-1"
    stage.mkdir()
    write_journal(stage, Place.at(envs / "demo"), new.created)
    (envs / ".demo.envforge-previous").rename(stage / "prefix")
    assert (stage,) == clean(envs, (), emit=quiet)
    assert [".demo.envforge-lock", ".demo.envforge-previous", "demo"] == listed(envs)
    assert old == rollback(envs / "demo", emit=quiet)


def test_a_swap_that_was_cut_between_two_renames_is_undone(make, envs, listed):
    old = make()
    stage = leave_stage(envs)
    (envs / "demo").rename(stage / "old")
    assert (stage,) == clean(envs, (), emit=quiet)
    assert (old,) == list_environments(envs, envs / "none")
    assert [".demo.envforge-lock", "demo"] == listed(envs)


def test_deleting_the_cache_counts_its_bytes(tmp_path):
    (tmp_path / "pkgs/numpy").mkdir(parents=True)
    (tmp_path / "pkgs/numpy/file").write_bytes(b"x" * 100)
    (tmp_path / "mine").mkdir()
    assert 100 == delete_cache(tmp_path)
    assert [tmp_path / "mine"] == list(tmp_path.iterdir())
