"""Where conda packages are kept: what the user names, as far as it can be used."""

import os
import shutil
import subprocess
import sys

import pytest

SETPRIV = shutil.which("setpriv")
NOBODY = (SETPRIV or "", "--reuid=65534", "--regid=65534", "--clear-groups") if os.getuid() == 0 else ()
LOOK = """
import sys; from pathlib import Path; from envforge.engines.caches import package_caches
print(*package_caches(Path("/nowhere"), {"CONDA_PKGS_DIRS": sys.argv[1]}))
"""


def looked(named):
    """Look as a user who is not root, whose rights count."""
    if NOBODY and SETPRIV is None:
        pytest.skip("only root can become nobody, by `setpriv`")
    done = subprocess.run(
        [*NOBODY, sys.executable, "-c", LOOK, named], capture_output=True, text=True, check=False, cwd="/"
    )
    if "No module named" in done.stderr or "Permission denied" in done.stderr.split("caches.py")[0]:
        pytest.skip("nobody cannot read this installation")
    return done.stdout.split(), done.stderr


def test_a_folder_behind_a_closed_one_is_left_out(tmp_path):
    closed, open_ = tmp_path / "closed", tmp_path / "open"
    (closed / "site").mkdir(parents=True)
    open_.mkdir()
    open_.chmod(0o777)
    for each in (tmp_path, *tmp_path.parents[:-2]) if NOBODY else ():
        each.chmod(0o755)
    closed.chmod(0)
    try:
        assert ([str(open_)], "") == looked(f"{closed}/site/pkgs,{open_},{closed}/site")
    finally:
        closed.chmod(0o700)
