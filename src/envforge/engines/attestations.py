"""Sigstore attestations of conda packages: who published them, by CEP 27, where a channel serves them as CEP 50 says.

Rattler looks for them, checks signature, certificate and transparency log, and holds digest, channel and publisher
against the package's record. The trusted root is the file that ``ENVFORGE_TRUSTED_ROOT`` names, else the one that
sigstore serves; offline it is the copy that came with rattler.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from envforge.engines._rattler_worker import record_of
from envforge.engines.network import make_client
from envforge.engines.standing import do
from envforge.errors import BadArtefact, Unreachable, UsageError
from envforge.model import Attestations, Locked

VARIABLE = "ENVFORGE_TRUSTED_ROOT"
DEADLINE_S = 300.0
AT_ONCE = 8
SHOWN = 3


def verify_attestations(
    artefacts: tuple[Locked, ...],
    wanted: Attestations,
    *,
    offline: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> tuple[str, ...]:
    """Hold conda packages against their publishers' signatures, before they are locked.

    Gives what is wrong, one line for each package, where the spec says `warn`. Raises BadArtefact where it says
    `require`, Unreachable when there is no trusted root, UsageError for a file that is none.
    """
    conda = tuple(each for each in artefacts if each.kind == "conda")
    if wanted.conda == "off" or not conda:
        return ()
    root = environ.get(VARIABLE)
    text = _read(Path(root)) if root else None
    wrong: tuple[str, ...] = do(_verify, conda, wanted, text, offline, deadline_s=DEADLINE_S)
    if wrong and wanted.conda == "require":
        more = (f"and {len(wrong) - SHOWN} more",) if len(wrong) > SHOWN else ()
        hints = ("a channel that attests its packages is needed, or `attestations: {conda: warn, ...}`",)
        raise BadArtefact(f"{len(wrong)} of {len(conda)} packages are not attested", (*wrong[:SHOWN], *more), hints)
    return wrong


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"`{VARIABLE}` cannot be read: {error}", (str(path),)) from None


def _verify(
    artefacts: tuple[Locked, ...],
    wanted: Attestations,
    root: str | None,
    offline: bool,
    _send: Callable[[Any], None],
) -> tuple[str, ...]:
    """Be the job of the worker."""
    return asyncio.run(_verify_all(artefacts, wanted, _trusted_root(root, offline=offline)))


def _trusted_root(text: str | None, *, offline: bool) -> Any:
    from rattler.sigstore import TrustedRoot

    if text is None:
        return TrustedRoot.embedded() if offline else None
    try:
        return TrustedRoot.from_json(text)
    except ValueError as error:
        raise UsageError(f"`{VARIABLE}` is not a trusted root of sigstore: {error}") from None


async def _verify_all(artefacts: tuple[Locked, ...], wanted: Attestations, root: Any) -> tuple[str, ...]:
    from rattler.sigstore import Issuer, Publisher, VerificationPolicy

    publisher = Publisher(identity=wanted.publisher, issuer=Issuer(wanted.issuer) if wanted.issuer else None)
    policy, client = VerificationPolicy.require(publisher), make_client()
    turns = asyncio.Semaphore(AT_ONCE)
    told = [_wrong(each, policy, client, root, turns) for each in artefacts]
    return tuple(filter(None, await asyncio.gather(*told)))


async def _wrong(artefact: Locked, policy: Any, client: Any, root: Any, turns: asyncio.Semaphore) -> str:
    """Say why a package does not count as attested; empty when it does."""
    from rattler.exceptions import AttestationError
    from rattler.sigstore import verify_attestation

    try:
        async with turns:
            await verify_attestation(record_of(artefact), policy, client, root)
    except AttestationError as error:
        if "trusted root" in str(error):
            hints = (f"name a `trusted_root.json` with `{VARIABLE}`",)
            raise Unreachable(f"sigstore's trusted root cannot be had: {error}", (), hints) from None
        return f"`{artefact.name}`: {error}"
    return ""
