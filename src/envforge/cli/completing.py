"""What a shell may complete to: environments, specs and locks at hand, targets of the spec that is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

SUFFIXES = (".yaml", ".yml")
LOCKS = (".lock.yaml", ".lock.yml")
MOST_FILES = 200


def environment_names(incomplete: str) -> list[str]:
    """Give the environments by name."""
    from envforge.cli.dirs import find_dirs

    envs = find_dirs().envs
    there = sorted(each.name for each in envs.iterdir()) if envs.is_dir() else []
    return [name for name in there if name.startswith(incomplete) and not name.startswith(".")]


def spec_files(incomplete: str) -> list[str]:
    """Give the YAML files that are no locks, in the folder that is typed and one below it."""
    return [path for path in _yaml_files(incomplete) if not path.endswith(LOCKS)]


def subjects(incomplete: str) -> list[str]:
    """Give what has a lock: environments, specs and locks."""
    return [*environment_names(incomplete), *_yaml_files(incomplete)]


def target_names(ctx: Any, incomplete: str) -> list[str]:
    """Give the targets of the spec that stands on the line already."""
    from envforge.cli.asking import read_spec
    from envforge.errors import EnvforgeError

    found = _spec_on_line(ctx)
    if found is None:
        return []
    try:
        spec = read_spec(found)
    except EnvforgeError:
        return []
    return [each.name for each in spec.targets if each.name.startswith(incomplete)]


def _spec_on_line(ctx: Any) -> Path | None:
    """Find the spec that was typed; a flag at its end lacks its word, so the line may not be taken apart."""
    given = ctx.params.get("spec") or ctx.params.get("specs") or ctx.params.get("subject") or ctx.args
    first = next(iter(given), None) if isinstance(given, list | tuple) else given
    text = str(first or "")
    lock = next((suffix for suffix in LOCKS if text.endswith(suffix)), None)
    return Path(text.removesuffix(lock) + SUFFIXES[0] if lock else text) if text else None


def _yaml_files(incomplete: str) -> list[str]:
    folder, _, start = incomplete.rpartition("/")
    top = Path(f"{folder}/" if folder or incomplete.startswith("/") else ".").expanduser()
    before = incomplete.removesuffix(start)
    try:
        found = sorted(_below(top, start))
    except OSError:
        return []
    return [f"{before}{name}" for name in found][:MOST_FILES]


def _below(top: Path, start: str) -> Iterator[str]:
    for each in top.iterdir():
        if not each.name.startswith(start) or (each.name.startswith(".") and not start):
            continue
        if each.is_dir():
            yield from (f"{each.name}/{inner.name}" for inner in each.iterdir() if inner.suffix in SUFFIXES)
        elif each.suffix in SUFFIXES:
            yield each.name
