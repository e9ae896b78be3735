"""Tell which tool a file is of, read it, and make a spec of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

from envforge.errors import SpecError, UsageError
from envforge.facts import Facts
from envforge.foreign.conda_env import read_environment
from envforge.foreign.conda_lists import is_list, read_list
from envforge.foreign.locks import read_lock
from envforge.foreign.nouns import Foreign, Imported
from envforge.foreign.pixi import read_pixi
from envforge.foreign.pyproject import read_pyproject
from envforge.foreign.requirements import read_requirements
from envforge.foreign.translate import translate
from envforge.spec import parse_spec, write_spec

KINDS = ("environment.yml", "requirements.txt", "pyproject.toml", "pixi.toml", "conda-lock.yml", "pixi.lock")
MADE_OF = {
    "uv.lock": "import the `pyproject.toml` that it was made of",
    "poetry.lock": "import the `pyproject.toml` that it was made of",
    "pdm.lock": "import the `pyproject.toml` that it was made of",
    "pylock.toml": "import the `pyproject.toml` or `requirements.txt` that it was made of",
    "pipfile.lock": "write a `requirements.txt` with `pipenv requirements`",
    "pipfile": "write a `requirements.txt` with `pipenv requirements`",
}
ReadText = Callable[[str], str]
_CONDAS_OWN = re.compile(r"^(dependencies|prefix):", re.MULTILINE)
_OURS = re.compile(r"^(torch|with|cuda|gpu|conda|wheels):", re.MULTILINE)


def is_foreign(text: str, origin: str) -> bool:
    """Tell whether a file that is no spec is of a kind that can be imported, by its name or by keys of conda's own."""
    if PurePath(origin).name.lower().endswith((".toml", ".txt", ".in", ".lock")) or is_list(text):
        return True
    return bool(_CONDAS_OWN.search(text)) and not _OURS.search(text)


def import_file(
    text: str,
    origin: str,
    facts: Facts,
    read_text: ReadText,
    *,
    environment: str | None = None,
    extras: tuple[str, ...] = (),
) -> Imported:
    """Make a spec of a file of another tool; ``read_text`` reads the files that it includes, beside it.

    ``environment`` picks one of pixi's, ``extras`` take optional dependencies of a ``pyproject.toml`` along. Raises
    SpecError with a place, UsageError for a file of no known kind.
    """
    if not text.strip():
        raise SpecError("the file is empty", (origin,))
    found = translate(_read(text, origin, read_text, environment, extras), facts)
    try:
        spec = parse_spec(write_spec(found.spec), origin)
    except SpecError as error:
        raise SpecError(f"what the file asks for makes no spec: {error.message}", (origin,), error.hints) from error
    return replace(found, spec=replace(spec, places=()))


def _read(text: str, origin: str, read_text: ReadText, environment: str | None, extras: tuple[str, ...]) -> Foreign:
    name = PurePath(origin).name.lower()
    if extras and name != "pyproject.toml":
        raise UsageError("`--extra` is for a `pyproject.toml`", (origin,))
    if name in MADE_OF:
        raise UsageError(f"`{PurePath(origin).name}` is of no kind that can be imported", (origin,), (MADE_OF[name],))
    listed = _included(origin, read_text)
    if is_list(text):
        return read_list(text, origin)
    if name == "pyproject.toml":
        return read_pyproject(text, origin, environment, extras)
    if name.endswith(".toml"):
        return read_pixi(text, origin, environment)
    if name.endswith((".txt", ".in")):
        return read_requirements(text, origin, listed)
    if name.endswith(".lock") or "lock" in name.split(".")[0].split("-"):
        return read_lock(text, origin, environment)
    if name.endswith((".yml", ".yaml")):
        return read_environment(text, origin, listed)
    known = ", ".join(f"`{each}`" for each in KINDS)
    raise UsageError(
        f"`{PurePath(origin).name}` is of no kind that can be imported", (origin,), (f"there are {known}",)
    )


def _included(origin: str, read_text: ReadText) -> Callable[[str, str], tuple[str, str]]:
    """Read a file that a requirements file includes; its path starts beside the file that names it."""

    def listed(path: str, where: str) -> tuple[str, str]:
        if "://" in path:
            raise SpecError(f"`{path}` is not a file beside this one", (where,), ("download it first",))
        beside = PurePath(where.rsplit(":", 1)[0]).parent / path
        return str(beside), read_text(str(beside))

    return listed
