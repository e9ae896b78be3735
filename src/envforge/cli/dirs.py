"""Where envforge keeps things: environments, caches, and the list of environments elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from envforge.errors import UsageError
from envforge.model import Environment, value

if TYPE_CHECKING:  # what only looks at a machine need not load what makes environments
    from envforge.provision import Caches


@value
class Dirs:
    """The three places. ``registry`` is a file."""

    envs: Path
    cache: Path
    registry: Path


def find_dirs(environ: Mapping[str, str] = os.environ) -> Dirs:
    """Tell the places: ``ENVFORGE_ENVS_DIR`` and ``ENVFORGE_CACHE_DIR``, else the XDG directories."""
    from platformdirs import user_cache_path, user_data_path, user_state_path

    envs = environ.get("ENVFORGE_ENVS_DIR")
    cache = environ.get("ENVFORGE_CACHE_DIR")
    return Dirs(
        envs=_absolute(envs) if envs else user_data_path("envforge") / "envs",
        cache=_absolute(cache) if cache else user_cache_path("envforge"),
        registry=user_state_path("envforge") / "prefixes.json",
    )


def find_packages(dirs: Dirs) -> Path:
    """Give the folder of extracted conda packages."""
    from envforge.engines.caches import package_cache

    return package_cache(dirs.cache, os.environ)


def find_caches(dirs: Dirs) -> Caches:
    """Give the caches whose files environments share."""
    from envforge.provision import Caches

    return Caches.below(dirs.cache, find_packages(dirs))


def choose_prefix(dirs: Dirs, name: str, prefix: Path | None) -> Path:
    """Give the absolute prefix of an environment: the one that was asked for, or by name. Raises UsageError."""
    from envforge.lock import NAME
    from envforge.provision import CACHED, Place

    if not NAME.fullmatch(name):
        hints = ("a name has letters, digits, `.`, `_`, `-`", *(() if prefix else ("give a path with `--prefix`",)))
        raise UsageError(f"`{name}` cannot be the name of an environment", (), hints)
    where = Place.at(prefix or dirs.envs / name).prefix
    if any(where.resolve().is_relative_to((dirs.cache / part).resolve()) for part in CACHED):
        message = "the prefix lies in the package cache, which `envforge clean --cache` deletes"
        raise UsageError(message, (str(where),), ("choose another one with `--prefix`",))
    return where


def find_one(dirs: Dirs, name: str | None, prefix: Path | None, environment: str | None = None) -> Environment | None:
    """Find the environment that ENV, else ``-p``, else ``-n`` means; None when none was given. Raises UsageError."""
    if not (environment or prefix or name):
        return None
    from envforge.provision import Place, find_environment

    wanted = environment or (str(Place.at(prefix).prefix) if prefix else str(name))
    try:
        return find_environment(wanted, dirs.envs, dirs.registry)
    except UsageError as error:
        raise UsageError(error.message, error.where, (*_meant(wanted, dirs), *error.hints)) from None


def _meant(wanted: str, dirs: Dirs) -> tuple[str, ...]:
    """Name the environment that may have been meant: the one of a spec, or one of a close name."""
    from difflib import get_close_matches

    from envforge.provision import list_environments

    names = [each.name for each in list_environments(dirs.envs, dirs.registry)]
    if wanted in names:
        return ()
    plain = Path(wanted).stem if wanted.endswith((".yaml", ".yml")) else wanted
    return tuple(f"did you mean `{name}`?" for name in get_close_matches(plain, dict.fromkeys(names), n=1))


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - links stay as the user wrote them
