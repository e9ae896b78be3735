"""What the user has told pip and uv about indexes, certificates and proxies.

Sources, strongest first: uv's variables, pip's variables, uv's files, pip's files (the one that ``PIP_CONFIG_FILE``
names, then the environment's, the user's, the system's). A single value is the strongest one's; lists of uv and of pip
are joined, because a company mirror may be known to only one of the two.
https://pip.pypa.io/en/stable/topics/configuration/ and https://docs.astral.sh/uv/reference/settings/
"""

from __future__ import annotations

import configparser
import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from envforge.errors import UsageError
from envforge.model import value

NETWORK = (
    "UV_HTTP_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS",
    "UV_REQUEST_TIMEOUT",
)
PIP_SECTIONS = ("global", "download", "install")
Texts = Mapping[str, str]


@value
class Settings:
    """Indexes, find-links and network settings. ``default_index`` None is the tools' own default.

    URLs may carry credentials: pass them to tools, never print them. ``said`` names where each setting stands.
    """

    default_index: str | None = None
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    environ: tuple[tuple[str, str], ...] = ()
    said: tuple[str, ...] = ()


Found = dict[str, list[str]]


def parse_pip(text: str, origin: str) -> Found:
    """Read one pip configuration file; ``install`` beats ``download`` beats ``global``. Raises UsageError."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise UsageError(f"pip's configuration cannot be read: {str(error).splitlines()[0]}", (origin,)) from error
    found: Found = {}
    for section in PIP_SECTIONS:
        if parser.has_section(section):
            found |= {_pip_key(key): words.split() for key, words in parser.items(section)}
    return found


def pip_variables(environ: Mapping[str, str]) -> Found:
    """Read pip's variables: ``PIP_FIND_LINKS`` is ``find-links``."""
    variables = {key: words for key, words in environ.items() if key.startswith("PIP_") and words}
    return {_pip_key(key.removeprefix("PIP_")): words.split() for key, words in variables.items()}


def _pip_key(key: str) -> str:
    return key.lower().lstrip("-").replace("_", "-")


def parse_uv(text: str, origin: str) -> Found:
    """Read one of uv's files, its ``[pip]`` table included. Raises UsageError."""
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"uv's configuration cannot be read: {error}", (origin,)) from error
    found: Found = {}
    for table in (plain, plain.get("pip", {})):
        for key, words in (*_uv_words(table), *_uv_indexes(table.get("index", ())).items()):
            found[key] = words if key in ("index-url", "no-index") else [*found.get(key, ()), *words]
    return found


def _uv_words(table: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for key in ("index-url", "extra-index-url", "find-links"):
        if key in table:
            yield key, _words(table[key])
    if "allow-insecure-host" in table:
        yield "trusted-host", _words(table["allow-insecure-host"])
    if table.get("no-index"):
        yield "no-index", ["true"]


def _uv_indexes(indexes: Iterable[Mapping[str, Any]]) -> Found:
    """Read ``[[index]]`` tables; explicit ones serve only packages that name them, so they are left out."""
    found: Found = {}
    for index in indexes:
        if index.get("default"):
            found["index-url"] = [str(index["url"])]
        elif not index.get("explicit"):
            found.setdefault("extra-index-url", []).append(str(index["url"]))
    return found


def uv_variables(environ: Mapping[str, str]) -> Found:
    """Read uv's variables; an index may be written ``name=url``."""
    found: Found = {}
    for key in ("UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        if environ.get(key):
            found["index-url"] = [_unnamed(environ[key])]
    extra = [*environ.get("UV_INDEX", "").split(), *environ.get("UV_EXTRA_INDEX_URL", "").split()]
    if extra:
        found["extra-index-url"] = [_unnamed(each) for each in extra]
    if environ.get("UV_FIND_LINKS"):
        found["find-links"] = [each for each in environ["UV_FIND_LINKS"].split(",") if each]
    if environ.get("UV_INSECURE_HOST"):
        found["trusted-host"] = environ["UV_INSECURE_HOST"].split()
    if environ.get("UV_NO_INDEX") in ("1", "true"):
        found["no-index"] = ["true"]
    return found


def _unnamed(index: str) -> str:
    name, equals, url = index.partition("=")
    return url if equals and "/" not in name else index


def _words(plain: Any) -> list[str]:
    return [str(each) for each in plain] if isinstance(plain, list) else [str(plain)]


def settings_from(environ: Mapping[str, str], pip_files: Texts, uv_files: Texts) -> Settings:
    """Join variables and files (weakest first, path to text) into settings. Pure."""
    pip = _layered(pip_variables(environ), {path: parse_pip(text, path) for path, text in pip_files.items()}, "PIP_*")
    uv = _layered(uv_variables(environ), {path: parse_uv(text, path) for path, text in uv_files.items()}, "UV_*")
    used = [f"{key} from {origin}" for each in (uv, pip) for key, (_, origin) in sorted(each.items()) if key in _SHOWN]
    return Settings(
        default_index=_first(uv, pip, "index-url"),
        extra_indexes=_both(uv, pip, "extra-index-url"),
        find_links=_both(uv, pip, "find-links"),
        no_index=_first(uv, pip, "no-index") in ("1", "true", "yes", "on"),
        cert=_first(uv, pip, "cert"),
        proxy=_first(uv, pip, "proxy"),
        trusted_hosts=_both(uv, pip, "trusted-host"),
        environ=tuple(sorted(_kept(environ))),
        said=tuple(used),
    )


_SHOWN = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "proxy", "trusted-host")
Layered = dict[str, tuple[list[str], str]]


def _layered(variables: Found, files: Mapping[str, Found], name: str) -> Layered:
    """Let stronger layers hide weaker ones, key by key, remembering where each stands."""
    layers = [*files.items(), (name, variables)]
    return {key: (words, origin) for origin, found in layers for key, words in found.items()}


def _first(uv: Layered, pip: Layered, key: str) -> str | None:
    words = (uv.get(key) or pip.get(key) or ([], ""))[0]
    return words[0] if words else None


def _both(uv: Layered, pip: Layered, key: str) -> tuple[str, ...]:
    words = [*uv.get(key, ([], ""))[0], *pip.get(key, ([], ""))[0]]
    return tuple(dict.fromkeys(each.rstrip("/") for each in words))


def _kept(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Keep uv's network variables: timeouts, keyring, credentials of named indexes."""
    for key, text in environ.items():
        credentials = key.startswith("UV_INDEX_") and key.endswith(("_USERNAME", "_PASSWORD"))
        if key in NETWORK or credentials:
            yield key, text


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the user's configuration of pip and uv. Raises UsageError for a file that cannot be read."""
    here = os.environ if environ is None else environ
    return settings_from(here, _texts(pip_places(here)), _texts(uv_places(here)))


def pip_places(environ: Mapping[str, str]) -> list[Path]:
    """List pip's files, weakest first; ``PIP_CONFIG_FILE=/dev/null`` means none at all."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home, user = _home(environ)
    system = [Path(each) / "pip" for each in reversed(_system(environ))]
    places = [*(each / "pip.conf" for each in system), Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
    places += [user / "pip" / "pip.conf", Path(sys.prefix) / "pip.conf"]
    return [*places, *([Path(named)] if named else [])]


def uv_places(environ: Mapping[str, str]) -> list[Path]:
    """List uv's files, weakest first; never those of the project that happens to be here."""
    if environ.get("UV_NO_CONFIG") in ("1", "true"):
        return []
    if environ.get("UV_CONFIG_FILE"):
        return [Path(environ["UV_CONFIG_FILE"])]
    system = [Path(each) / "uv" / "uv.toml" for each in reversed(_system(environ))]
    return [Path("/etc/uv/uv.toml"), *system, _home(environ)[1] / "uv" / "uv.toml"]


def _home(environ: Mapping[str, str]) -> tuple[Path, Path]:
    home = Path(environ.get("HOME") or Path.home())
    return home, Path(environ.get("XDG_CONFIG_HOME") or home / ".config")


def _system(environ: Mapping[str, str]) -> list[str]:
    return [each for each in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if each]


def _texts(paths: Iterable[Path]) -> dict[str, str]:
    texts = {}
    for path in dict.fromkeys(paths):
        try:
            texts[str(path)] = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("a configuration file of pip or uv cannot be read", (str(path),)) from error
    return texts
