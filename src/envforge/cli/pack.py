"""`envforge pack`: everything for a machine without network, in one file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from envforge.cli.asking import read_text
from envforge.cli.common import Answer, Offline, Overwrite, Talk, Target, Timeout, command
from envforge.cli.completing import spec_files
from envforge.cli.dirs import Dirs, find_dirs, find_packages
from envforge.cli.fitting import lock_path
from envforge.cli.job import catch_signals
from envforge.cli.subject import lock_of
from envforge.cli.written import refuse_existing
from envforge.errors import UsageError
from envforge.exports.download import Open
from envforge.exports.gather import Places, gather
from envforge.exports.logins import with_login
from envforge.exports.pack import pythons_needed, write_pack
from envforge.exports.subject import bared
from envforge.lock import write_lock
from envforge.model import Lock, Locked, Spec, value
from envforge.report.page import Page, item, prose
from envforge.run import in_child

TIMEOUT_S = 30.0
TOOLS = ("conda", "mamba", "micromamba")
_LOGIN = re.compile(r"(?<=://)[^/\s@'\"]+@")
_TOKEN = re.compile(r"(https?://[^\s'\"]*?)/t/[^/\s'\"]+(?=/)")

Packable = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC|LOCK",
        envvar="ENVFORGE_SPEC",
        help="A spec that is locked, or its lock.",
        autocompletion=spec_files,
    ),
]
PackFile = Annotated[
    Path, typer.Option("-o", "--output", envvar="ENVFORGE_OUTPUT", metavar="FILE", help="The pack to write.")
]


@value
class Packed:
    """What was packed: the lock as it is in the pack, and how many files."""

    path: Path
    lock: Lock
    count: int
    size_bytes: int


@command(
    examples=(
        "envforge pack train.yaml -o train.tar",
        "envforge pack train.yaml --target node -o node.tar",
    )
)
def pack(
    talk: Talk,
    spec: Packable,
    output: PackFile,
    target: Target = None,
    offline: Offline = False,
    yes: Overwrite = False,
    timeout: Timeout = None,
) -> Answer:
    """Put a spec, its lock and every file that is locked into one tar, for a machine without network.

    What is in a cache is taken from there, the rest is downloaded and verified; an interrupted download goes on where
    it stopped. Without `--target` every target of the lock is in the pack.
    """
    catch_signals()
    refuse_existing(output, overwrite=yes)
    return _answer(pack_up(talk, _spec_file(spec), output, target, offline=offline, timeout_s=timeout))


def pack_up(
    talk: Talk, spec_file: Path, output: Path, target: str | None, *, offline: bool, timeout_s: float | None
) -> Packed:
    """Write a pack of a spec that is locked, one target or all. Raises UsageError, Unreachable, BadArtefact."""
    lock, dirs = _chosen(lock_of(spec_file), target, lock_path(spec_file)), find_dirs()
    spec, text = _spec_in_pack(talk, spec_file)
    clean = replace(lock, sections=tuple(bared(spec.name, each) for each in lock.sections))
    artefacts = [artefact for section in lock.sections for artefact in section.artefacts]
    sidecars = _attestations(artefacts, spec)
    with talk.watching() as emit:
        opener, places = _opener(TIMEOUT_S if timeout_s is None else timeout_s), _places(dirs)
        wanted = (*artefacts, *sidecars)
        files = in_child(lambda send: gather(wanted, places, opener, send, offline=offline), emit=emit)
    size_bytes = write_pack(output, spec.name, text, write_lock(clean), clean, files)
    count = len({each.sha256 for each in artefacts})
    return Packed(path=output, lock=clean, count=count, size_bytes=size_bytes)


def _attestations(artefacts: list[Locked], spec: Spec) -> tuple[Locked, ...]:
    """Name the attestations that the target will ask for, since it verifies as the spec wants it."""
    if spec.attestations.conda == "off":
        return ()
    from envforge.engines.attestations import sidecar_of

    return tuple(filter(None, map(sidecar_of, artefacts)))


def _spec_file(path: Path) -> Path:
    """Give the spec of what was named: itself, or the one beside a lock. Raises UsageError."""
    if not path.name.endswith((".lock.yaml", ".lock.yml")):
        return path
    stem = path.name.rsplit(".", 2)[0]
    beside = [path.with_name(stem + ending) for ending in (".yaml", ".yml")]
    if found := next((each for each in beside if each.is_file()), None):
        return found
    raise UsageError("there is no spec beside the lock, and a pack has both", (str(beside[0]),))


def _chosen(lock: Lock, target: str | None, path: Path) -> Lock:
    sections = tuple(each for each in lock.sections if target in (None, each.target))
    if not sections:
        hint = f"there are {', '.join(each.target for each in lock.sections)}"
        raise UsageError(f"there is no section for target `{target}`", (str(path),), (hint,))
    return replace(lock, sections=sections)


def _spec_in_pack(talk: Talk, path: Path) -> tuple[Spec, str]:
    """Give the spec, and its text without credentials."""
    from envforge.spec import parse_spec

    text = read_text(path, "spec")
    clean = _TOKEN.sub(r"\1", _LOGIN.sub("", text))
    if clean != text:
        talk.warn("credentials were taken out of the spec's addresses")
    spec = parse_spec(text, str(path))
    for each in spec.targets:
        if each.path is not None:
            talk.warn(f"target `{each.name}` is told by a file that is not in the pack: `{each.path}`")
    return spec, clean


def _places(dirs: Dirs) -> Places:
    archives = (find_packages(dirs), *(dirs.cache / tool / "pkgs" for tool in TOOLS))
    return Places(store=dirs.cache / "downloads", archives=archives)


def _opener(timeout_s: float) -> Open:
    """Make what opens URLs: with the user's certificates, proxies, mirrors of logins."""
    import requests

    from envforge.engines.index import configured
    from envforge.engines.settings import read_settings

    told, stored = read_settings(), _stored_logins(os.environ)
    indexes = (*told.extra_indexes, *filter(None, (told.default_index,)))

    def open_url(url: str, headers: Mapping[str, str]) -> Any:
        asked, login = with_login(url, indexes, stored)
        session = configured(requests.Session(), told, asked)
        return session.get(asked, headers={**headers, **login}, stream=True, timeout=timeout_s)

    return open_url


def _stored_logins(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Read rattler's file of logins. Raises UsageError when it is none; its content is never shown."""
    path = environ.get("RATTLER_AUTH_FILE")
    if not path:
        return {}
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError("`RATTLER_AUTH_FILE` cannot be read", (path,)) from None
    return plain if isinstance(plain, dict) else {}


def _answer(packed: Packed) -> Answer:
    pythons = pythons_needed(packed.lock.sections)
    targets = [each.target for each in packed.lock.sections]
    output, count, size_bytes = packed.path, packed.count, packed.size_bytes

    def page() -> Page:
        head = prose(f"wrote `{output}`, {size_bytes / 10**6:,.1f} MB: {count} packages for {', '.join(targets)}")
        notes = (item(f"{target} needs a Python {minor} there: the pack has none") for target, minor in pythons)
        return (head, *notes, item(f"there: `envforge create --from {output.name}`"))

    data = {"pack": str(output), "size_bytes": size_bytes, "packages": count, "targets": targets}
    return Answer(data={**data, "pythons": dict(pythons)}, page=page)
