"""The one road into a prefix: whole or not at all."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from envforge.errors import DiskFailed, EngineFailed, UsageError
from envforge.provision import drift, read_environment, rollback
from tiny import HERE, TinyConda, package, section, wheel


def test_an_environment_says_where_it_is_and_what_it_is_made_of(make, envs):
    made = make(spec_origin="vision.yaml")
    assert (envs / "demo", envs / "demo/bin/python", "tiny", "vision.yaml", section()) == (
        made.prefix,
        made.python,
        made.engine,
        made.spec_origin,
        made.section,
    )
    assert made == read_environment(envs / "demo")


def test_packages_are_told_the_final_prefix(make, envs):
    make()
    assert str(envs / "demo") == (envs / "demo/share/numpy/0.txt").read_text()


def test_nothing_but_the_lock_file_stands_beside_an_environment(make, envs, listed):
    make()
    assert [".demo.envforge-lock", "demo"] == listed(envs)


def test_what_a_killed_update_left_is_swept_though_nothing_else_is_to_do(make, envs, listed):
    made = make()
    stage = envs / ".demo.envforge-999999-1"
    (stage / "prefix").mkdir(parents=True)
    journal = {"schema": "envforge.journal/1", "prefix": str(envs / "demo"), "created": made.created}
    (stage / "journal.json").write_text(json.dumps(journal))
    assert (made, [".demo.envforge-lock", "demo"]) == (make(), listed(envs))


def test_the_same_files_from_a_mirror_are_the_same_environment(make):
    moved = tuple(
        replace(each, url=each.url.replace("://", "://mirror."), md5="0" * 32) for each in section().artefacts
    )
    assert make() == make(replace(section(), artefacts=moved))


def test_wheels_alone_stand_on_a_python_at_hand(make):
    made = make(section(wheel("einops"), interpreter=HERE))
    assert ("tiny-wheels", HERE) == (made.engine, made.section.interpreter)


def test_a_lock_without_any_python_is_refused(make, envs, listed):
    with pytest.raises(EngineFailed, match="neither a Python package nor an interpreter"):
        make(section(wheel("einops")))
    assert [] == listed(envs)


def test_variables_are_where_conda_activates_them(make, envs):
    make(section(variables=(("OMP_NUM_THREADS", "8"),)))
    assert {"OMP_NUM_THREADS": "8"} == json.loads((envs / "demo/etc/conda/env_vars.d/envforge.json").read_text())


def test_a_relative_prefix_is_made_absolute(make, tmp_path, envs):
    before = Path.cwd()
    os.chdir(envs)
    try:
        made = make(prefix="sub/demo")
    finally:
        os.chdir(before)
    assert envs / "sub/demo" == made.prefix


@pytest.mark.parametrize("name", ["with blanks in it", "größe-環境", "a$b `c`;", "-dash", "dotted.name.envforge-x"])
def test_any_path_can_be_a_prefix(make, envs, name):
    made = make(prefix=envs / name)
    assert subprocess.run([made.python, "-c", "print(1)"], capture_output=True, text=True, check=True).stdout == "1\n"


def test_the_same_lock_again_changes_nothing(make):
    assert make() == make(conda=TinyConda(before=refuse))


def refuse(artefact, stage):
    raise EngineFailed("the engine was asked again")


def test_a_drifted_environment_is_made_anew(make, envs):
    make()
    (envs / "demo/conda-meta/numpy-2.4.6-0.json").unlink()
    assert drift(make()).clean


def test_another_lock_replaces_it_and_keeps_the_previous_generation(make, envs, listed):
    old = make()
    new = make(section(package("python", "3.11.7"), package("numpy", "3.0")))
    assert new == read_environment(envs / "demo")
    assert [".demo.envforge-lock", ".demo.envforge-previous", "demo"] == listed(envs)
    assert old.section == rollback(envs / "demo", emit=print).section
    assert new.section == rollback(envs / "demo", emit=print).section


def test_only_one_previous_generation_is_kept(make, envs, listed):
    for version in ("1", "2", "3"):
        make(section(package("python", "3.11.7"), package("numpy", version)))
    assert [".demo.envforge-lock", ".demo.envforge-previous", "demo"] == listed(envs)
    assert "2" == rollback(envs / "demo", emit=print).section.artefacts[1].version


def test_rollback_without_a_previous_generation_is_refused(make, envs):
    make()
    with pytest.raises(UsageError, match="no previous generation"):
        rollback(envs / "demo", emit=print)


@pytest.mark.parametrize(
    "failure", [EngineFailed("broken"), OSError(28, "No space left on device"), KeyboardInterrupt()]
)
def test_a_failure_leaves_nothing(make, envs, listed, failure):
    with pytest.raises((EngineFailed, KeyboardInterrupt)):
        make(conda=TinyConda(before=raiser(failure)))
    assert [] == listed(envs)


@pytest.mark.parametrize(
    "failure", [EngineFailed("broken"), OSError(28, "No space left on device"), KeyboardInterrupt()]
)
def test_a_failed_update_leaves_the_old_environment(make, envs, listed, failure):
    old = make()
    with pytest.raises((EngineFailed, KeyboardInterrupt)):
        make(section(package("python", "3.12")), conda=TinyConda(before=raiser(failure)))
    assert old == read_environment(envs / "demo")
    assert drift(old).clean
    assert [".demo.envforge-lock", "demo"] == listed(envs)


def raiser(failure):
    def before(artefact, stage):
        raise failure

    return before


def test_the_disk_is_named_when_it_refuses(make):
    with pytest.raises(DiskFailed, match="No space left on device"):
        make(conda=TinyConda(before=raiser(OSError(28, "No space left on device"))))


def test_an_engine_that_installs_something_else_is_refused(make, envs, listed):
    def extra(artefact, stage):
        (stage / "conda-meta").mkdir(parents=True, exist_ok=True)
        (stage / "conda-meta/surprise-1.0-0.json").write_text("{}")

    with pytest.raises(EngineFailed, match=r"surprise 1\.0 0 \(not in the lock\)"):
        make(conda=TinyConda(before=extra))
    assert [] == listed(envs)


@pytest.mark.parametrize("content", ["file", "folder"])
def test_a_prefix_that_is_not_ours_is_refused_and_untouched(make, envs, content):
    prefix = envs / "demo"
    if content == "file":
        prefix.write_text("precious")
    else:
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / "conda-meta/history").write_text("precious")
    with pytest.raises(UsageError) as caught:
        make()
    assert (str(prefix),) == caught.value.where
    assert prefix.exists()


def test_an_empty_directory_may_become_an_environment(make, envs):
    (envs / "demo").mkdir()
    assert make() == read_environment(envs / "demo")


def test_a_link_is_followed_to_the_prefix(make, envs, tmp_path):
    (tmp_path / "disk").mkdir()
    (envs / "demo").symlink_to(tmp_path / "disk")
    assert tmp_path / "disk" == make().prefix
    assert (envs / "demo").is_symlink()
