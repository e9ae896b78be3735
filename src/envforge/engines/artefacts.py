"""Hold artefacts against the lock before an engine gets them, where the engine would not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from envforge.engines.places import local_path
from envforge.errors import BadArtefact, Unreachable
from envforge.model import Locked


def check_local(artefacts: Iterable[Locked]) -> None:
    """Hash local archives: rattler and conda check only what they download. Raises BadArtefact."""
    for each in artefacts:
        path = local_path(each.url)
        if path is None:
            continue
        try:
            with path.open("rb") as archive:
                found = hashlib.file_digest(archive, "sha256").hexdigest()
        except OSError as error:
            raise BadArtefact(f"`{each.name}` cannot be read: {error.strerror}", (each.url,)) from None
        if found != each.sha256:
            where = (each.url, f"sha256 {found}", f"locked {each.sha256}")
            raise BadArtefact(f"`{each.name}` is not what the lock says", where)


def refuse_remote(artefacts: Iterable[Locked]) -> None:
    """Raise Unreachable for artefacts that only the network has."""
    missing = [each for each in artefacts if local_path(each.url) is None]
    if missing:
        names = ", ".join(f"`{each.name}`" for each in missing)
        hint = "run once without `--offline`, and the package cache will have them"
        raise Unreachable(f"not in the package cache, and offline: {names}", tuple(e.url for e in missing[:3]), (hint,))
