"""Link scripts: code of a package that would run when it is installed. None runs but for packages that the spec names.

They run in the stage, where ``PREFIX`` is; what they write is made to say the final path afterwards. conda's variables:
https://docs.conda.io/projects/conda-build/en/stable/resources/link-scripts.html
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from envforge.engines.relocate import in_binary, read_records, reseal
from envforge.engines.scripts import replace_file
from envforge.errors import EngineFailed
from envforge.model import Emit, Locked, Progress, in_order
from envforge.run import Completed, run

DEADLINE_S = 600.0
Stamps = dict[Path, tuple[int, int, int]]


def script_of(prefix: Path, name: str) -> Path:
    """Say where a package's link script stands, if it has one."""
    return prefix / "bin" / f".{name}-post-link.sh"


def unrun(artefacts: tuple[Locked, ...], prefix: Path) -> tuple[str, ...]:
    """Name the packages in a prefix that have a link script which may not run."""
    conda = (each for each in artefacts if each.kind == "conda" and not each.link_scripts)
    return tuple(each.name for each in conda if script_of(prefix, each.name).is_file())


def run_link_scripts(artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit) -> None:
    """Run the scripts of those packages that may, each after those that it depends on. Raises EngineFailed."""
    allowed = [each for each in artefacts if each.link_scripts and script_of(stage, each.name).is_file()]
    if not allowed:
        return
    before = _stamps(stage)
    for each in in_order(allowed):
        emit(Progress(phase="link", subject=f"the script of {each.name}"))
        _check(each, _run(each, stage))
    after = _stamps(stage)
    _settle({path for path, stamp in after.items() if before.get(path) != stamp}, stage, final)


def _run(artefact: Locked, stage: Path) -> Completed:
    kept = {key: text for key, text in os.environ.items() if not key.startswith(("CONDA_", "PYTHON", "VIRTUAL_ENV"))}
    own = {"PREFIX": str(stage), "ROOT_PREFIX": str(stage), "CONDA_PREFIX": str(stage), "PYTHONDONTWRITEBYTECODE": "1"}
    told = {"PKG_NAME": artefact.name, "PKG_VERSION": artefact.version, "PKG_BUILDNUM": str(artefact.build_number)}
    path = f"{stage / 'bin'}:{kept.get('PATH', '/usr/bin:/bin')}"
    shell = shutil.which("bash") or "/bin/sh"
    argv = [shell, str(script_of(stage, artefact.name))]
    return run(argv, deadline_s=DEADLINE_S, env={**kept, **own, **told, "PATH": path}, cwd=str(stage))


def _check(artefact: Locked, done: Completed) -> None:
    if not done.ok:
        how = f"passed {DEADLINE_S:g} s" if done.timed_out else f"ended with {done.returncode}"
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise EngineFailed(f"the link script of `{artefact.name}` {how}", (artefact.url, *said))


def _stamps(stage: Path) -> Stamps:
    """Tell every file apart from what it becomes when somebody writes it."""
    found: Stamps = {}
    for folder, folders, names in os.walk(stage):
        for path in (Path(folder, name) for name in (*folders, *names)):
            there = path.lstat()
            if not stat.S_ISDIR(there.st_mode):
                found[path] = there.st_ino, there.st_mtime_ns, there.st_size
    return found


def _settle(changed: set[Path], stage: Path, final: Path) -> None:
    """Have the files that scripts wrote say ``final``; soft links into the stage too."""
    old, new = os.fsencode(stage), os.fsencode(final)
    for path in changed:
        if path.is_symlink():
            _turn(path, old, new)
        elif path.is_file() and old in (content := path.read_bytes()):
            replace_file(path, in_binary(content, old, new) if b"\0" in content else content.replace(old, new))
    reseal(read_records(stage), stage, {path for path in changed if not path.is_symlink()})


def _turn(link: Path, old: bytes, new: bytes) -> None:
    target = os.fsencode(link.readlink())
    if target.startswith(old):
        link.unlink()
        link.symlink_to(os.fsdecode(new + target[len(old) :]))
