"""What conda's programs get to see, and what becomes of the link scripts that they start."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from envforge.engines.surroundings import environment
from envforge.errors import EngineFailed


def seen(tmp_path: Path, **more: str) -> dict[str, str]:
    (tmp_path / "home").mkdir(exist_ok=True)
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), **more}
    return environment("conda", given, tmp_path / "cache", tmp_path / "pkgs")


def said(argv: list[str], env: dict[str, str]) -> str:
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout


def test_a_link_script_does_nothing_however_it_is_started(tmp_path: Path) -> None:
    script, caller = tmp_path / ".x-post-link.sh", tmp_path / "caller.sh"
    script.write_text("echo ran\n")
    caller.write_text(f". '{script}'\n")
    env = seen(tmp_path)
    assert ["", "", ""] == [said(["bash", *words], env) for words in ([script], ["-x", script], [caller])]  # type: ignore[list-item]


def test_everything_else_that_needs_bash_gets_it(tmp_path: Path) -> None:
    wrapper = tmp_path / "conda"
    wrapper.write_text('#!/usr/bin/env bash\nwords=("$@"); echo "${words[1]}"\n')
    wrapper.chmod(0o755)
    assert "b\n" == said([str(wrapper), "a", "b"], seen(tmp_path))
    assert "hi\n" == said(["bash", "-c", "echo hi"], seen(tmp_path))


def test_logins_and_certificates_are_the_user_s(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".netrc").write_text("machine h login me password p\n")
    (tmp_path / "home" / ".condarc").write_text("channels: [evil]\n")
    env = seen(tmp_path, SSL_CERT_FILE="/etc/own.pem", XDG_CONFIG_HOME="/x", HTTPS_PROXY="http://p")
    assert [".netrc"] == [path.name for path in Path(env["HOME"]).iterdir()]
    assert ("/etc/own.pem", "http://p") == (env["REQUESTS_CA_BUNDLE"], env["HTTPS_PROXY"])
    assert "XDG_CONFIG_HOME" not in env


def test_a_cache_from_which_nothing_may_be_run_is_refused(tmp_path: Path) -> None:
    disk = tmp_path / "cache"
    disk.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "noexec,size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a tmpfs")
    try:
        with pytest.raises(EngineFailed, match="nothing may be run from the cache"):
            seen(tmp_path)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
