"""Exports of an environment that stands: a modulefile, and a squashfs image that is mounted where it was made."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from envforge.provision import provision
from tiny import engines, lock, package, quiet, section

MODULES = Path("/usr/share/modules/init/bash")


@pytest.fixture
def home(tmp_path):
    return {"ENVFORGE_ENVS_DIR": str(tmp_path / "envs"), "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "300"}


@pytest.fixture
def prefix(tmp_path):
    """An environment whose variables and script have what Tcl would mistake for its own."""
    part = section(package("python", "3.11.7"), variables=(("WORDS", 'a "b" [c] $HOME {d'),))
    where = tmp_path / "envs" / "demo"
    provision(lock(part), part, where, engines=engines(), packages=tmp_path / "cache", emit=quiet)
    scripts = where / "etc/conda/activate.d"
    scripts.mkdir(parents=True)
    (scripts / "one.sh").write_text("export FROM_SCRIPT=yes\n")
    return where


def test_a_modulefile_leads_into_the_environment(prefix, home):
    lines = call("export", "demo", "--format", "modulefile", **home).stdout.splitlines()
    assert ["#%Module1.0", 'module-whatis "demo: torch 2.13.0, Python 3.11"'] == lines[:2]
    assert f'prepend-path PATH "{prefix}/bin"' in lines
    assert f'setenv CONDA_PREFIX "{prefix}"' in lines


@pytest.mark.skipif(not MODULES.exists(), reason="Environment Modules are not installed")
def test_environment_modules_load_it_with_every_word_intact(prefix, home, tmp_path):
    assert 0 == call("export", "demo", "--format", "modulefile", "-o", tmp_path / "demo.tcl", **home).returncode
    shown = 'echo "$WORDS|$CONDA_PREFIX|$FROM_SCRIPT|${PYTHONHOME-unset}|$(command -v python)"'
    script = f". {MODULES}; module load {tmp_path}/demo.tcl; {shown}"
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONHOME": "/x"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environ)
    assert f'a "b" [c] $HOME {{d|{prefix}|yes|unset|{prefix}/bin/python' == done.stdout.strip(), done.stderr


def test_what_is_no_environment_has_no_modulefile(tmp_path, home):
    spec = tmp_path / "demo.yaml"
    spec.write_text("name: demo\n")
    done = call("export", spec, "--format", "modulefile", **home)
    assert (2, "a modulefile is made of an environment" in done.stderr) == (done.returncode, True)


def test_an_image_needs_a_file_to_go_to(prefix, home):
    done = call("export", "demo", "--format", "squashfs", **home)
    assert (2, "name it with `-o`" in done.stderr) == (done.returncode, True)


def test_a_host_without_the_program_is_told_what_to_install(prefix, home, tmp_path):
    done = call("export", "demo", "--format", "squashfs", "-o", tmp_path / "demo.sqfs", PATH=str(tmp_path), **home)
    assert (2, "squashfs-tools" in done.stderr) == (done.returncode, True)
    assert not (tmp_path / "demo.sqfs").exists()


@pytest.mark.skipif(shutil.which("mksquashfs") is None, reason="mksquashfs is not installed")
def test_an_image_has_every_file_and_compiled_python(prefix, home, tmp_path):
    (prefix / "lib").mkdir(exist_ok=True)
    (prefix / "lib" / "words.py").write_text("WORD = 1\n")
    done = call("export", "demo", "--format", "squashfs", "-o", tmp_path / "demo.sqfs", "--json", **home)
    size_bytes = envelope(done)["data"]["size_bytes"]
    assert size_bytes == (tmp_path / "demo.sqfs").stat().st_size
    subprocess.run(["unsquashfs", "-q", "-n", "-d", tmp_path / "out", tmp_path / "demo.sqfs"], check=True)
    inside = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {path.relative_to(prefix) for path in prefix.rglob("*") if path.is_file()} == inside
    assert [Path("lib/__pycache__")] == [each.parent for each in inside if each.name.startswith("words.cpython")]


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(), reason="mounting needs root and loop devices"
)
@pytest.mark.skipif(shutil.which("mksquashfs") is None, reason="mksquashfs is not installed")
def test_a_mounted_image_is_the_environment(prefix, home, tmp_path):
    image = tmp_path / "demo.sqfs"
    assert 0 == call("export", "demo", "--format", "squashfs", "-o", image, **home).returncode
    shutil.rmtree(prefix)
    prefix.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "squashfs", "-o", "loop,ro", image, prefix], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this kernel does not mount it: {mounted.stderr!r}")
    try:
        status = call("status", "demo", "--json", **home)
        verify = call("verify", "demo", **home)
        ran = call("run", "-n", "demo", "--", "python", "-c", "print('inside')", **home)
    finally:
        subprocess.run(["umount", prefix], check=True)
    assert (0, "unverified") == (status.returncode, envelope(status)["data"]["state"]), status.stdout
    assert "inside\n" == ran.stdout, ran.stderr
    assert "the report is not kept with the environment: Read-only file system" in verify.stderr
    assert verify.returncode in (1, 3), verify.stderr
