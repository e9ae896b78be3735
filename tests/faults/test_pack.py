"""`envforge pack` struck down while it writes: no half pack under the pack's name, nothing left by the next one."""

import os
import random
import subprocess
import sys
import time

from cli.calling import envforge as call
from envforge.exports.unpack import open_pack


def drafts(folder):
    return [path for path in folder.iterdir() if path.name.startswith(".demo.tar.")]


def killed_while_writing(argv, environ, folder, after_s):
    """Start a pack, and kill it a moment after its draft has come; give whether it was still at work."""
    with subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None and not drafts(folder):
            time.sleep(0.001)
        time.sleep(after_s)
        child.kill()
        return child.wait() != 0


def test_a_pack_that_is_killed_while_it_is_written_leaves_the_old_one(home, channel):
    spec, folder = home.spec(channel.url), home.root / "packs"
    assert 0 == call("lock", spec, "--no-progress", **home.variables).returncode
    folder.mkdir()
    (folder / "demo.tar").write_text("an older one")
    environ, chance = {**os.environ, **home.variables}, random.Random(1)
    argv = [sys.executable, "-m", "envforge", "pack", spec, "-y", "--no-progress", "-o", folder / "demo.tar"]
    for _ in range(5):
        if killed_while_writing(argv, environ, folder, chance.uniform(0, 0.02)):
            assert "an older one" == (folder / "demo.tar").read_text()
            assert 1 == len(drafts(folder))
        else:
            (folder / "demo.tar").write_text("an older one")
    assert 0 == subprocess.run(argv, env=environ, check=False).returncode
    assert [folder / "demo.tar"] == list(folder.iterdir())
    assert "demo" == open_pack(folder / "demo.tar").manifest.name
