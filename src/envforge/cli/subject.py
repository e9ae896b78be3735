"""What a word on the command line means where a lock is wanted: a lock's file, a spec's, or an environment."""

from __future__ import annotations

from pathlib import Path

from envforge.cli.asking import read_text
from envforge.cli.dirs import find_dirs
from envforge.cli.fitting import find_lock, lock_path
from envforge.errors import Stale, UsageError
from envforge.lock import read_lock
from envforge.model import Environment, Lock, Section


def locked_subject(word: str, target: str | None) -> tuple[str, Section]:
    """Find what a word means, a file or an environment, and give its name and its section."""
    path = Path(word)
    if path.is_file():
        lock = lock_of(path)
        return lock.name, pick(lock, target, path)
    if path.suffix in (".yaml", ".yml"):
        read_text(path, "file")
    environment = standing_subject(word, target)
    return environment.name, environment.section


def standing_subject(word: str, target: str | None) -> Environment:
    """Find the environment that a word means. Raises UsageError, also when it was made for another target."""
    from envforge.provision import find_environment

    dirs = find_dirs()
    environment = find_environment(word, dirs.envs, dirs.registry)
    if target and target != environment.section.target:
        raise UsageError(f"`{environment.name}` was made for target `{environment.section.target}`", (word,))
    return environment


def lock_of(path: Path) -> Lock:
    """Read a lock, or the one beside a spec, which must be of the spec as it is. Raises Stale, SpecError."""
    if path.name.endswith((".lock.yaml", ".lock.yml")):
        return read_lock(read_text(path, "lock"), str(path))
    from envforge.cli.asking import read_spec
    from envforge.cli.locking import is_of

    spec, beside, hint = read_spec(path), lock_path(path), (f"make it with `envforge lock {path}`",)
    lock = find_lock(path)
    if lock is None:
        raise Stale("there is no lock", (str(beside),), hint)
    if not is_of(lock, spec):
        raise Stale("the spec has changed since the lock was made", (str(beside),), hint)
    return lock


def pick(lock: Lock, target: str | None, path: Path) -> Section:
    """Give the target's section, or the only one. Raises UsageError."""
    known = tuple(each.target for each in lock.sections)
    found = [each for each in lock.sections if target in (None, each.target)]
    if len(found) == 1:
        return found[0]
    said = f"there is no section for target `{target}`" if target else f"the lock has {len(known)} sections"
    hints = (f"choose with `--target`: {', '.join(known)}",) if known else ()
    raise UsageError(said, (str(path),), hints)
