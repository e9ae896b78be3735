"""A plan's wheels as uv is asked for them: indexes, a project file, arguments, environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envforge.engines.jobs import default_index
from envforge.engines.places import TORCH_INDEX, cutoff, local_path, without_credentials
from envforge.engines.settings import Settings
from envforge.engines.standing import do
from envforge.errors import SpecError
from envforge.model import Dotted, Plan, value
from envforge.run import copies

PYPI = "pypi"
TORCH_FAMILY = {
    "torch",
    "torchvision",
    "torchaudio",
    "torchcodec",
    "torchtext",
    "torchdata",
    "triton",
    "pytorch-triton",
}
# What uv knows, https://docs.astral.sh/uv/reference/cli/#uv-pip-compile--python-platform
MANYLINUX = ("2.17", "2.28", *(f"2.{minor}" for minor in range(31, 41)))
LINUX = {"linux-64": "x86_64", "linux-aarch64": "aarch64"}
OTHERS = {"osx-arm64": "aarch64-apple-darwin", "osx-64": "x86_64-apple-darwin", "win-64": "x86_64-pc-windows-msvc"}
WIDE = "10000"  # uv wraps its errors at the width that COLUMNS tells, between a place and its name
DROPPED = ("UV_", "PIP_", "PYTHON", "CONDA_", "MAMBA_", "VIRTUAL_ENV")
_TORCH_INDEX = re.compile(r"/whl(/nightly)?(/(cu[0-9]+|cpu|xpu|rocm[0-9.]+))?/?$")


@value
class Indexes:
    """Where wheels come from: torch's own index for torch's family, the others first match wins, ``default`` last."""

    torch: str | None
    ordered: tuple[str, ...]
    default: str | None
    find_links: tuple[str, ...]
    none: bool = False


def choose_indexes(plan: Plan, settings: Settings) -> Indexes:
    """Join the plan's indexes with the user's.

    ``pypi`` is what the user configured as default, with the extra indexes before it, as uv orders them. An index of
    torch's (``.../whl/cu126``) serves torch's family alone when there is another one: it also holds old copies of
    numpy and others, and the first index that has a package wins. A folder that the user gave as find-links is one.
    """
    links = dict.fromkeys((*plan.find_links, *settings.find_links))
    named = [_with_login(_url(each, plan), settings) for each in plan.indexes if each not in links]
    ordered = list(dict.fromkeys(part for each in named for part in _expanded(each, settings)))
    torch = next((each for each in named if _TORCH_INDEX.search(each)), None) if len(ordered) > 1 else None
    general = [each for each in ordered if each != torch]
    last = general.pop() if general else None
    return Indexes(
        torch=torch,
        ordered=tuple(do(default_index) if each == PYPI else each for each in general),
        default=None if last == PYPI else last,
        find_links=tuple(links),
        none=last is None,
    )


def _expanded(index: str, settings: Settings) -> list[str]:
    if index != PYPI:
        return [index]
    return [*settings.extra_indexes, *([] if settings.no_index else [settings.default_index or PYPI])]


def _url(index: str, plan: Plan) -> str:
    """Give an index's URL: ``pytorch`` is the page of the chosen variant, a path a ``file://`` URL."""
    if index == "pytorch":
        return f"{TORCH_INDEX}/{plan.candidate.build.local or ''}".rstrip("/")
    path = None if index == PYPI else local_path(index)
    return (path.as_uri() if path else index).rstrip("/")


def _with_login(index: str, settings: Settings) -> str:
    """Give back the credentials that a URL has lost on its way through plans and locks."""
    known = (*settings.extra_indexes, *filter(None, [settings.default_index]))
    return next((each.rstrip("/") for each in known if without_credentials(each).rstrip("/") == index), index)


def project_file(requirements: Iterable[str], torch_index: str | None) -> str:
    """Write the request as a project: the one form in which a package can be tied to an index.

    Raises SpecError for a requirement that is none.
    """
    wanted = [_requirement(each) for each in requirements]
    lines = ["[project]", 'name = "request"', 'version = "0"', "dependencies = ["]
    lines += [*(f"  {json.dumps(str(each))}," for each in wanted), "]"]
    if torch_index and (tied := _tied(wanted)):
        lines += ["[[tool.uv.index]]", 'name = "torch"', f"url = {json.dumps(torch_index)}", "explicit = true"]
        lines += ["[tool.uv.sources]", *(f'{name} = {{ index = "torch" }}' for name in tied)]
    return "\n".join(lines) + "\n"


def _tied(wanted: Iterable[Requirement]) -> list[str]:
    """Name what comes from torch's own index, when there is one."""
    return sorted({canonicalize_name(each.name) for each in wanted if not each.url} & TORCH_FAMILY)


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise SpecError(f"`{text}` is not a requirement: {str(error).splitlines()[0]}") from error


def platform_of(plan: Plan) -> str:
    """Give uv's name of the platform: the newest manylinux that the machine's glibc allows."""
    if plan.subdir not in LINUX:
        if plan.subdir in OTHERS:
            return OTHERS[plan.subdir]
        raise SpecError(f"no wheels are known for `{plan.subdir}`")
    glibc = dict(plan.virtual).get("__glibc")
    known = Dotted(glibc) if glibc else plan.floor.glibc or plan.candidate.build.glibc or Dotted(MANYLINUX[0])
    fitting = [each for each in MANYLINUX if Dotted(each) <= known] or [MANYLINUX[0]]
    return f"{LINUX[plan.subdir]}-manylinux_{fitting[-1].replace('.', '_')}"


def lock_arguments(plan: Plan, pins: Iterable[str], indexes: Indexes, folder: Path) -> list[str]:
    """Give the arguments of ``uv pip compile``. URLs are not among them: they may carry credentials."""
    arguments = ["--format", "pylock.toml", "--only-binary", ":all:", "--index-strategy", "first-index"]
    arguments += ["--python-version", plan.python, "--python-platform", platform_of(plan)]
    arguments += ["--constraints", str(folder / "pins.txt"), "--output-file", str(folder / "pylock.toml")]
    for name in pins:
        arguments += ["--no-emit-package", name]
    if plan.exclude_newer:
        arguments += ["--exclude-newer", cutoff(plan.exclude_newer).strftime("%Y-%m-%dT%H:%M:%SZ")]
        arguments += [part for name in _undated(plan, indexes) for part in ("--exclude-newer-package", f"{name}=false")]
    return [*arguments, *local_arguments(indexes), str(folder / "pyproject.toml")]


def _undated(plan: Plan, indexes: Indexes) -> list[str]:
    """Name what has no date on its index, torch's own, so that uv would leave all of it out: its date is a fact."""
    return _tied(map(_requirement, plan.requirements)) if indexes.torch else []


def local_arguments(indexes: Indexes) -> list[str]:
    """Give the arguments for folders of wheels, which may have blanks and commas in their names."""
    folders = [str(path) for each in indexes.find_links if (path := local_path(each)) is not None]
    none = ["--no-index"] if indexes.none else []
    return [*none, *(argument for each in folders for argument in ("--find-links", each))]


def environment(settings: Settings, indexes: Indexes, cache: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Give uv's environment: clean, with the user's indexes, certificates, proxies and timeouts."""
    clean = {key: text for key, text in environ.items() if not key.startswith(DROPPED)}
    clean |= dict(settings.environ)
    clean |= {"UV_NO_CONFIG": "1", "UV_CACHE_DIR": str(cache), "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    clean |= {"COLUMNS": WIDE}
    clean |= {"UV_LINK_MODE": "copy" if copies(environ) else environ.get("UV_LINK_MODE", "hardlink")}
    remote = [each for each in indexes.find_links if local_path(each) is None]
    given = {
        "UV_DEFAULT_INDEX": indexes.default,
        "UV_INDEX": " ".join(indexes.ordered),
        "UV_FIND_LINKS": ",".join(remote),
        "UV_INSECURE_HOST": " ".join(settings.trusted_hosts),
    }
    clean |= {key: text for key, text in given.items() if text}
    return clean | network(settings, clean)


def network(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Say pip's certificate and proxy in the variables that everybody reads, where the user has not."""
    found = {}
    if settings.cert and not environ.get("SSL_CERT_FILE"):
        found["SSL_CERT_FILE"] = settings.cert
    if settings.proxy:
        missing = [key for key in ("HTTP_PROXY", "HTTPS_PROXY") if not (environ.get(key) or environ.get(key.lower()))]
        found |= dict.fromkeys(missing, settings.proxy)
    return found
