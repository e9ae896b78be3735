"""Engines: conda packages (rattler, or a conda command line), wheels (uv), and what sources offer.

Each speaks a small protocol of `envforge.model`, so that any engine installs what any other solved.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from envforge.errors import UsageError
from envforge.model import Engine
from envforge.run import copies

if TYPE_CHECKING:
    from envforge.engines.inquiry import Inquiry
    from envforge.engines.settings import Settings
    from envforge.model import Offer, Spec


def ask(
    spec: Spec,
    subdir: str,
    *,
    cache: Path | None = None,
    settings: Settings | None = None,
    offline: bool = False,
    timeout_s: float | None = None,
) -> tuple[Offer, ...]:
    """Ask the spec's sources, its channels, and the user's own wheel sources what they serve for a platform.

    In parallel, each within ``timeout_s``; a source that cannot be asked is an offer with an error. ``source`` is the
    name or URL that the user configured, without credentials; the spec's own sources come first.
    """
    return inquire(spec, subdir, cache=cache, settings=settings, offline=offline, timeout_s=timeout_s).offers()


def inquire(
    spec: Spec,
    subdir: str,
    *,
    cache: Path | None = None,
    settings: Settings | None = None,
    offline: bool = False,
    timeout_s: float | None = None,
) -> Inquiry:
    """Write down what `ask` would ask, so that it can be begun before the answer is needed."""
    from envforge.engines.caches import Caches
    from envforge.engines.inquiry import DEADLINE_S, Inquiry, questions
    from envforge.engines.settings import read_settings

    told, folder = settings or read_settings(), cache or default_cache()
    return Inquiry(
        asked=questions(spec.sources, spec.channels, spec.indexes, spec.find_links, told),
        subdir=subdir,
        settings=told,
        caches=Caches(repodata=folder / "repodata", packages=folder / "pkgs", offline=offline),
        deadline_s=DEADLINE_S if timeout_s is None else timeout_s,
    )


def make_engine(
    name: str,
    cache: Path,
    *,
    offline: bool = False,
    timeout_s: float | None = None,
    environ: Mapping[str, str] | None = None,
) -> Engine:
    """Make the engine for conda packages: ``auto`` and ``rattler`` are built in, others are found on this computer.

    Raises UsageError for a program that is not there, and for a name that is none.
    """
    here = os.environ if environ is None else environ
    more = {} if timeout_s is None else {"deadline_s": timeout_s}
    if name in ("auto", "rattler"):
        from envforge.engines.rattler import RattlerEngine

        return RattlerEngine(cache, offline=offline, environ=here, **more)
    if name not in ("conda", "mamba", "micromamba"):
        raise UsageError(f"engine `{name}` is not known", (), ("`--engine rattler` is built in",))
    if copies(here):
        hints = ("use `--engine rattler`", "or leave `ENVFORGE_LINK_MODE` out")
        raise UsageError(f"engine `{name}` is not told to copy files, so an environment would share them", (), hints)
    from envforge.engines.conda_cli import CondaCli, find_tool

    tool = cast(Literal["conda", "mamba", "micromamba"], name)
    program = find_tool(tool, here)
    if program is None:
        raise UsageError(f"engine `{name}` is not on this computer", (), ("`--engine rattler` is built in",))
    return CondaCli(tool, [str(program)], cache, offline=offline, environ=here, **more)


def default_cache() -> Path:
    """Give envforge's cache folder: ``ENVFORGE_CACHE_DIR``, else the XDG one."""
    from platformdirs import user_cache_path

    own = os.environ.get("ENVFORGE_CACHE_DIR")
    return Path(own).expanduser().absolute() if own else user_cache_path("envforge")
