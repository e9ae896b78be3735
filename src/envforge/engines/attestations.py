"""Sigstore attestations of conda packages: who published them, by CEP 27, where a channel serves them as CEP 50 says.

Rattler looks for them, checks signature, certificate and transparency log, and holds digest, channel and publisher
against the package's record. The trusted root is the file that ``ENVFORGE_TRUSTED_ROOT`` names, else the one that
sigstore serves; offline it is the copy that came with rattler, and a package counts whose attestations are at hand.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envforge.engines.standing import do
from envforge.errors import BadArtefact, Unreachable, UsageError
from envforge.model import Attestations, Locked

if TYPE_CHECKING:  # a `create` that finds all verified need not load it
    from asyncio import Semaphore

VARIABLE = "ENVFORGE_TRUSTED_ROOT"
DEADLINE_S = 300.0
AT_ONCE = 8
SHOWN = 3


def verify_attestations(
    artefacts: tuple[Locked, ...],
    wanted: Attestations,
    *,
    offline: bool = False,
    sidecars: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[str, ...]:
    """Hold conda packages against their publishers' signatures.

    ``sidecars`` is a folder of attestations by their sha256; what is not in it is asked of the channel.
    Gives what is wrong, one line for each package, where the spec says `warn`. Raises BadArtefact where it says
    `require`, Unreachable without a trusted root or, offline, an attestation, UsageError for a root that is none.
    """
    conda = tuple(each for each in artefacts if each.kind == "conda")
    if wanted.conda == "off" or not conda:
        return ()
    if offline and (told := _out_of_reach(conda, wanted, sidecars)):
        return told
    wrong: tuple[str, ...] = do(_verify, conda, wanted, trusted_root(environ), offline, sidecars, deadline_s=DEADLINE_S)
    if wrong and wanted.conda == "require":
        more = (f"and {len(wrong) - SHOWN} more",) if len(wrong) > SHOWN else ()
        hints = ("a channel that attests its packages is needed, or `attestations: {conda: warn, ...}`",)
        raise BadArtefact(f"{len(wrong)} of {len(conda)} packages are not attested", (*wrong[:SHOWN], *more), hints)
    return wrong


def _out_of_reach(conda: tuple[Locked, ...], wanted: Attestations, sidecars: Path | None) -> tuple[str, ...]:
    """Say that nothing can be verified where attestations are neither at hand nor to be asked for."""
    remote = [each for each in conda if each.attestations_sha256 and not each.url.startswith("file:")]
    missing = [each for each in remote if _at_hand(each, sidecars) is None]
    if not missing:
        return ()
    said = f"offline, and the attestations of {len(missing)} of {len(conda)} packages are not at hand"
    if wanted.conda == "require":
        hints = ("leave `--offline` out once: what was verified here for this spec is remembered",)
        raise Unreachable(said, tuple(each.url for each in missing[:SHOWN]), hints)
    return (said,)


def _at_hand(artefact: Locked, sidecars: Path | None) -> Path | None:
    path = sidecars / artefact.attestations_sha256 if sidecars and artefact.attestations_sha256 else None
    return path if path and path.is_file() else None


def sidecar_of(artefact: Locked) -> Locked | None:
    """Give the file with a package's attestations as an artefact of its own (CEP 50); None where there is none."""
    sha256 = artefact.attestations_sha256
    if artefact.kind != "conda" or sha256 is None:
        return None
    url, name = f"{artefact.url}.sigs.{sha256}", f"attestations of {artefact.name}"
    return replace(artefact, name=name, url=url, sha256=sha256, size_bytes=None, attestations_sha256=None)


def trusted_root(environ: Mapping[str, str] = os.environ) -> str | None:
    """Read the trusted root that the user names; None for sigstore's own. Raises UsageError."""
    named = environ.get(VARIABLE)
    try:
        return Path(named).read_text(encoding="utf-8") if named else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"`{VARIABLE}` cannot be read: {error}", (str(named),)) from None


def _verify(
    artefacts: tuple[Locked, ...],
    wanted: Attestations,
    root: str | None,
    offline: bool,
    sidecars: Path | None,
    _send: Callable[[Any], None],
) -> tuple[str, ...]:
    """Be the job of the worker."""
    import asyncio

    with tempfile.TemporaryDirectory() as folder:
        records = [_record(each, sidecars, Path(folder)) for each in artefacts]
        return asyncio.run(_verify_all(artefacts, records, wanted, _root(root, offline=offline)))


def _record(artefact: Locked, sidecars: Path | None, folder: Path) -> Any:
    """Give rattler's record, its URL beside its attestations where they are at hand; its channel stays its own."""
    from rattler import RepoDataRecord

    from envforge.engines._rattler_worker import record_of

    record, sidecar = record_of(artefact), _at_hand(artefact, sidecars)
    if sidecar is None:
        return record
    beside = folder / artefact.sha256 / record.file_name
    beside.parent.mkdir(exist_ok=True)
    beside.with_name(f"{beside.name}.sigs.{artefact.attestations_sha256}").symlink_to(sidecar.absolute())
    return RepoDataRecord(record, record.file_name, beside.as_uri(), record.channel)


def _root(text: str | None, *, offline: bool) -> Any:
    from rattler.sigstore import TrustedRoot

    if text is None:
        return TrustedRoot.embedded() if offline else None
    try:
        return TrustedRoot.from_json(text)
    except ValueError as error:
        raise UsageError(f"`{VARIABLE}` is not a trusted root of sigstore: {error}") from None


async def _verify_all(
    artefacts: tuple[Locked, ...], records: list[Any], wanted: Attestations, root: Any
) -> tuple[str, ...]:
    import asyncio

    from rattler.sigstore import Issuer, Publisher, VerificationPolicy

    from envforge.engines.network import make_client

    publisher = Publisher(identity=wanted.publisher, issuer=Issuer(wanted.issuer) if wanted.issuer else None)
    policy, client = VerificationPolicy.require(publisher), make_client()
    turns = asyncio.Semaphore(AT_ONCE)
    pairs = zip(artefacts, records, strict=True)
    told = [_wrong(each.name, record, policy, client, root, turns) for each, record in pairs]
    return tuple(filter(None, await asyncio.gather(*told)))


async def _wrong(name: str, record: Any, policy: Any, client: Any, root: Any, turns: Semaphore) -> str:
    """Say why a package does not count as attested; empty when it does."""
    from rattler.exceptions import AttestationError
    from rattler.sigstore import verify_attestation

    try:
        async with turns:
            await verify_attestation(record, policy, client, root)
    except AttestationError as error:
        if "trusted root" in str(error):
            hints = (f"name a `trusted_root.json` with `{VARIABLE}`",)
            raise Unreachable(f"sigstore's trusted root cannot be had: {error}", (), hints) from None
        return f"`{name}`: {error}"
    return ""
