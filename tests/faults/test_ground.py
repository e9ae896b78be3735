"""File systems, folders and users that `envforge create` meets: it works there, or says what is missing and where."""

import os
import subprocess
import sys

import pytest

from cli.calling import envelope, envforge
from cli.making import PYTHON
from faults.mounts import mounted


def told(done):
    document = envelope(done)
    (error,) = document["errors"]
    return document["exit"], error["code"], error["message"]


def test_a_disk_that_starts_no_programs_is_refused_before_anything_is_put_there(home, channel, tmp_path):
    with mounted("tmpfs", tmp_path / "disk", "noexec,size=1g") as disk:
        done = home.create(home.spec(channel.url), "--json", ENVFORGE_ENVS_DIR=str(disk / "envs"))
        message = "no environment can be on this file system: it is mounted with `noexec`: no program can be started"
        assert (5, "disk", message) == told(done)
        assert [str(disk / "envs")] == envelope(done)["errors"][0]["where"]
        assert [] == list((disk / "envs").iterdir())


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_a_disk_without_links_is_refused_for_what_it_lacks(home, channel, tmp_path, kind):
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(1 << 30)
    try:
        subprocess.run([f"mkfs.{kind}", image], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"`mkfs.{kind}` is not installed")
    with mounted(kind, tmp_path / "disk", "loop", str(image)) as disk:
        spec = home.spec(channel.url)
        for part, whose in (("ENVS", "no environment can be"), ("CACHE", "the cache cannot be")):
            done = home.create(spec, "--json", **{f"ENVFORGE_{part}_DIR": str(disk / part)})
            assert (5, "disk", f"{whose} on this file system: it has no soft links") == told(done)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a:b", "no environment works in a folder with : in its path: it ends a folder in `PATH`"),
        ("it's", "no environment works in a folder with ' in its path: it ends a text in Python's own files"),
        ("n" * 250, "the name of the prefix has 250 bytes, and may have 234 here"),
    ],
)
def test_a_prefix_that_breaks_packages_is_refused(home, channel, name, message):
    done = home.create(home.spec(channel.url), "-p", home.root / name, "--json")
    assert (2, "usage", message) == told(done)
    assert ["work"] == [path.name for path in home.root.iterdir() if path.name.startswith((name[:5], "work", "."))]


def test_no_environment_is_made_in_the_cache(home, channel):
    done = home.create(home.spec(channel.url), "-p", home.cache / "pkgs/env", "--json")
    message = "the prefix lies in the package cache, which `envforge clean --cache` deletes"
    assert (2, "usage", message) == told(done)


def test_a_user_without_a_home_is_told_what_to_set(tmp_path):
    if os.geteuid():
        pytest.skip("becoming another user needs root")
    code = "import os; from envforge.cli.app import run; run(['list']); os.setuid(54321); del os.environ['HOME']; run(['list'])"
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert (
        "error: this user has no home directory\n\nhint: set `HOME` to a folder that you may write to\n" == done.stderr
    )


def test_a_working_directory_that_is_gone_is_named(home, channel, tmp_path):
    spec, folder = home.spec(channel.url), tmp_path / "gone"
    folder.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from envforge.cli.app import run; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "create", str(spec)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **home.variables},
    )
    assert (2, "error: the working directory is gone\n\nhint: `cd` to one that is there\n") == (
        done.returncode,
        done.stderr,
    )


def test_records_are_readable_and_one_that_is_not_is_a_flaw(home, channel):
    home.create(home.spec(channel.url))
    folder = home.envs / "demo/conda-meta"
    records = [path for path in folder.iterdir() if not path.is_symlink()]
    assert {folder.stat().st_mode & 0o666} == {path.stat().st_mode & 0o777 for path in records}
    record = next(folder.glob("numpy-*.json"))
    record.write_text("{")
    found = envelope(envforge("status", "demo", "--deep", "--json", **home.variables))
    flaws = [(each["path"], each["what"]) for each in found["data"]["files"]["flaws"]]
    assert (4, [(f"conda-meta/{record.name}", "changed")]) == (found["exit"], flaws)


def test_what_python_compiles_where_times_are_lost_is_no_damage(home, channel):
    """Some file systems keep other times than a package's files have: there Python compiles what it imports."""
    home.create(home.spec(channel.url), ENVFORGE_LINK_MODE="copy")
    library = home.envs / f"demo/lib/python{PYTHON}"
    for name in ("abc.py", "statistics.py"):
        os.utime(library / name)
    compiled = library / f"__pycache__/statistics.{sys.implementation.cache_tag}.pyc"
    before = compiled.read_bytes()
    environ = {"PATH": os.environ["PATH"]}
    subprocess.run([home.envs / "demo/bin/python", "-c", "import statistics"], check=True, env=environ)
    assert before != compiled.read_bytes()
    assert 0 == (found := envelope(envforge("status", "demo", "--deep", "--json", **home.variables)))["exit"]
    assert [] == found["data"]["files"]["flaws"]
    compiled.write_bytes(before[:20] + b"spoilt" + before[26:])
    found = envelope(envforge("status", "demo", "--deep", "--json", **home.variables))
    assert [str(compiled.relative_to(home.envs / "demo"))] == [each["path"] for each in found["data"]["files"]["flaws"]]
