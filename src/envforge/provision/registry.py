"""Which environments there are: those in the folder of environments, and those elsewhere that a small file names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from envforge.errors import DiskFailed, UsageError
from envforge.model import Environment
from envforge.provision.claim import hold_file
from envforge.provision.disk import write_whole
from envforge.provision.marker import read_environment
from envforge.provision.place import Place
from envforge.wire import to_json


def register(registry: Path, environment: Environment, envs_dir: Path) -> None:
    """Remember an environment that stands outside the folder of environments. Raises DiskFailed."""
    prefix = str(environment.prefix)
    if environment.prefix.parent != envs_dir and prefix not in _read(registry):
        _rewrite(registry, lambda prefixes: {*prefixes, prefix})


def forget(registry: Path, prefix: Path) -> None:
    """Remember a prefix no longer. Raises DiskFailed."""
    if str(prefix) in _read(registry):
        _rewrite(registry, lambda prefixes: prefixes - {str(prefix)})


def list_environments(envs_dir: Path, registry: Path) -> tuple[Environment, ...]:
    """Give every whole environment that is known, by prefix. What is not whole is not an environment."""
    found = (read_environment(prefix) for prefix in sorted({*_inside(envs_dir), *map(Path, _read(registry))}))
    return tuple(environment for environment in found if environment is not None)


def find_environment(wanted: str, envs_dir: Path, registry: Path) -> Environment:
    """Find an environment by name, or by the path of its prefix (anything with a slash, or an existing directory).

    Raises UsageError when there is none, or when several outside the folder share the name.
    """
    if "/" in wanted or wanted in (".", ".."):
        return _at(Place.at(wanted).prefix)
    if inside := read_environment(envs_dir / wanted):
        return inside
    named = [each for each in list_environments(envs_dir, registry) if each.name == wanted]
    if len(named) == 1:
        return named[0]
    places = tuple(str(each.prefix) for each in named)
    if named:
        raise UsageError(f"several environments are named `{wanted}`", places, ("say which one by its prefix",))
    if Path(wanted).is_dir():
        return _at(Place.at(wanted).prefix)
    raise UsageError(f"there is no environment `{wanted}`", (str(envs_dir),), ("see them all with `envforge list`",))


def _at(prefix: Path) -> Environment:
    if environment := read_environment(prefix):
        return environment
    hints = ("make one with `envforge create SPEC --prefix ...`",)
    raise UsageError("there is no whole environment of envforge here", (str(prefix),), hints)


def _inside(envs_dir: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (path for path in envs_dir.iterdir() if not path.name.startswith(".") and path.is_dir())


def _read(registry: Path) -> set[str]:
    """Give the prefixes that are known; none where the file cannot be read: it hides nothing in the folder."""
    with suppress(OSError):
        return _prefixes(registry)
    return set()


def _prefixes(registry: Path) -> set[str]:
    """Give the prefixes of a file; none where it is not there or not ours. Raises OSError where it cannot be read."""
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        return {str(prefix) for prefix in json.loads(registry.read_text(encoding="utf-8"))["prefixes"]}
    return set()


def _rewrite(registry: Path, change: Callable[[set[str]], set[str]]) -> None:
    try:
        with hold_file(registry.with_name(f".{registry.name}.lock")):
            prefixes = sorted(change(_prefixes(registry)))
            write_whole(registry, to_json({"schema": "envforge.registry/1", "prefixes": prefixes}) + "\n")
    except OSError as error:
        raise DiskFailed(f"the disk refused: {error.strerror}", (str(registry),)) from error
