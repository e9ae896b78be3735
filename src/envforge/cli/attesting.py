"""Attestations, wherever conda packages are about to be locked or installed: verified once here for one policy.

What was verified is remembered beside the list of environments, by the digest of policy, trusted root, addresses and
hashes. So a lock that was made elsewhere, merged or edited is verified as if it were new, and a `create` that finds
nothing to do reads one file.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from envforge.cli.job import Job
from envforge.model import Locked
from envforge.provision import write_whole
from envforge.wire import digest

FOLDER = "attested"


def hold_against_publishers(job: Job, artefacts: tuple[Locked, ...]) -> None:
    """Verify attestations as the spec wants it; what is only to be warned of is said.

    Raises BadArtefact, and Unreachable where there is no attestation at hand and no network to ask for one.
    """
    wanted = job.spec.attestations
    conda = tuple(each for each in artefacts if each.kind == "conda")
    if wanted.conda == "off" or not conda:
        return
    from envforge.engines.attestations import trusted_root, verify_attestations

    proof = _proof(job, conda, trusted_root())
    if proof.exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        job.lay_attestations(conda, Path(folder))
        wrong = verify_attestations(conda, wanted, offline=job.offline, sidecars=Path(folder))
    for each in wrong:
        job.talk.warn(f"not attested: {each}")
    if not wrong:
        with suppress(OSError):
            write_whole(proof, f"{len(conda)} packages of {wanted.publisher}\n")


def _proof(job: Job, conda: tuple[Locked, ...], root: str | None) -> Path:
    """Name the file that says that these very packages were verified for this policy."""
    wanted = job.spec.attestations
    packages = sorted((each.url, each.sha256) for each in conda)
    key = digest((wanted.publisher, wanted.issuer, root, packages)).rpartition(":")[2]
    return job.dirs.registry.parent / FOLDER / key
