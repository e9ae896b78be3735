"""`envforge export` as people call it: of a spec, a lock, an environment."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from envforge.lock import write_lock
from envforge.model import Lock

envforge = partial(call, COLUMNS="300")


@pytest.fixture
def lock_file(make, tmp_path):
    section = make()
    lock = Lock(name="both", spec_digest="sha256:0", facts_digest="sha256:0", sections=(section,))
    path = tmp_path / "both.lock.yaml"
    path.write_text(write_lock(lock))
    return path


def test_the_file_goes_to_stdout_and_what_is_lost_to_stderr(lock_file):
    done = envforge("export", lock_file, "--format", "explicit")
    assert (0, "# both, for linux-64") == (done.returncode, done.stdout.splitlines()[0])
    assert "warning: wheels are left out: `jinja2`, `markupsafe`" in done.stderr


def test_the_same_bytes_come_every_time(lock_file):
    once, again = (envforge("export", lock_file, "--format", "sbom", PYTHONHASHSEED=seed).stdout for seed in "12")
    assert once == again


def test_the_envelope_tells_what_is_lost(lock_file):
    data = envelope(envforge("export", lock_file, "--format", "pylock", "--json"))["data"]
    assert {"format", "target", "text", "lost", "written"} == set(data)
    assert ("pylock", "here", None, 2) == (data["format"], data["target"], data["written"], len(data["lost"]))


def test_a_file_is_overwritten_only_when_that_is_said(lock_file):
    out = lock_file.with_name("explicit.txt")
    assert 0 == envforge("export", lock_file, "--format", "explicit", "-o", out).returncode
    refused = envforge("export", lock_file, "--format", "requirements", "-o", out)
    assert (2, "there already" in refused.stderr) == (refused.returncode, True)
    assert out.read_text().startswith("# both")
    assert 0 == envforge("export", lock_file, "--format", "requirements", "-o", out, "--yes").returncode
    assert "jinja2 @" in out.read_text()


def test_which_of_several_targets_is_asked_for(make, tmp_path):
    sections = (make(), replace(make(), target="cluster"))
    path = tmp_path / "both.lock.yaml"
    path.write_text(write_lock(Lock(name="both", spec_digest="x", facts_digest="y", sections=sections)))
    refused = envforge("export", path, "--format", "sbom")
    assert (2, "choose with `--target`: here, cluster" in refused.stderr) == (refused.returncode, True)
    assert 0 == envforge("export", path, "--format", "sbom", "--target", "cluster").returncode


def test_a_spec_that_is_not_locked_or_has_changed_is_stale(lock_file):
    spec = lock_file.with_name("both.yaml")
    spec.write_text("name: both\n")
    done = envforge("export", spec, "--format", "sbom")
    assert (4, "the spec has changed" in done.stderr) == (done.returncode, True)
    lock_file.unlink()
    done = envforge("export", spec, "--format", "sbom")
    assert (4, "there is no lock" in done.stderr) == (done.returncode, True)


@pytest.mark.parametrize("word", ["missing.yaml", "no-such-environment", "./nowhere"])
def test_what_is_not_there_is_one_clear_error(word, tmp_path):
    done = envforge("export", word, "--format", "sbom", cwd=tmp_path, ENVFORGE_ENVS_DIR=str(tmp_path / "envs"))
    assert (2, "error: ") == (done.returncode, done.stderr[:7])
    assert word.removeprefix("./").removesuffix(".yaml") in done.stderr


def test_no_folder_is_needed_to_write_into(lock_file):
    done = envforge("export", lock_file, "--format", "sbom", "-o", Path("/proc/no/such/file"))
    assert (5, "cannot be written" in done.stderr) == (done.returncode, True)


def test_a_lock_from_places_that_the_command_line_named_is_still_of_its_spec(channel, tmp_path):
    spec = tmp_path / "named.yaml"
    profile = '{driver: null, gpus: [], glibc: "2.39", subdir: linux-64}'
    spec.write_text(
        f'name: named\npython: "{channel.python}"\nsources: [conda-forge]\nindexes: []\ntargets: {{laptop: {profile}}}\n'
    )
    locked = envforge("lock", spec, "--channel", channel.url, PIP_CONFIG_FILE="/dev/null", PIP_FIND_LINKS="")
    assert 0 == locked.returncode, locked.stderr
    assert "# named, for linux-64" in envforge("export", spec, "--format", "explicit").stdout
    spec.write_text(spec.read_text() + "conda: [sympy]\n")
    stale = envforge("export", spec, "--format", "explicit")
    assert (4, True) == (stale.returncode, "the spec has changed since the lock was made" in stale.stderr)
