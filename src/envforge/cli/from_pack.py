"""`envforge create --from PACK`: the spec and the lock come out of the pack, and so does every file."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envforge.cli.dirs import Dirs, find_dirs
from envforge.cli.fitting import lock_path
from envforge.cli.footing import Footing, find_footing
from envforge.cli.job import Job, make_engines
from envforge.cli.locking import Made
from envforge.errors import DiskFailed, Stale, UsageError
from envforge.model import Locked, value
from envforge.provision import Engines, write_whole

if TYPE_CHECKING:
    from envforge.exports.unpack import Pack

FromPack = Annotated[
    Path | None,
    typer.Option("--from", envvar="ENVFORGE_FROM", metavar="PACK", help="Use what `envforge pack` wrote, no network."),
]


@value
class PackedJob(Job):
    """A job whose engines install from a pack."""

    pack: Pack

    @property
    def engines(self) -> Engines:
        """The engines, with what they install taken out of the pack."""
        from envforge.exports.packed import PackedConda, PackedWheels

        inner = make_engines(self.dirs, self.engine, offline=True, timeout_s=self.timeout_s)
        folder = self.dirs.cache / "unpacked"
        return Engines(
            conda=PackedConda(inner.conda, self.pack, folder), wheels=PackedWheels(inner.wheels, self.pack, folder)
        )

    def lay_attestations(self, artefacts: tuple[Locked, ...], folder: Path) -> None:
        """Take the attestations out of the pack."""
        from envforge.exports.unpack import read_object

        for sha256 in {each.attestations_sha256 for each in artefacts} & set(self.pack.objects):
            (folder / str(sha256)).write_text(read_object(self.pack.path, self.pack.objects, str(sha256)), "utf-8")


@value
class Given:
    """What `create` works from: a spec's file, and the pack that it came out of."""

    spec_file: Path
    pack: Pack | None = None

    def job(self, job: Job) -> Job:
        """Have a job install from the pack."""
        if self.pack is None:
            return job
        return PackedJob(**{each.name: getattr(job, each.name) for each in fields(Job)}, pack=self.pack)

    def footing(self, job: Job, *, locked: bool, frozen: bool) -> Footing | Made:
        """Stand on the lock; a pack's is used as it is or not at all. Raises Stale."""
        if self.pack is None:
            return find_footing(job, locked=locked, frozen=frozen)
        try:
            return find_footing(job, locked=True, frozen=frozen)
        except Stale as error:
            hints = ("pack it anew for this machine, where there is a network",)
            raise Stale(error.message, (str(self.pack.path),), hints) from None


def given(spec_file: Path | None, pack_file: Path | None) -> Given:
    """Take the spec that was named, or the pack's, which is laid down with its lock in the cache. Raises UsageError."""
    if pack_file is None:
        if spec_file is None:
            raise UsageError("missing argument `SPEC`", (), ("`envforge create --help` shows what it takes",))
        return Given(spec_file=spec_file)
    if spec_file is not None:
        hints = (f"leave `{spec_file}` out, or leave `--from` out",)
        raise UsageError("a pack has its own spec", (str(spec_file),), hints)
    from envforge.exports.unpack import open_pack

    pack = open_pack(Path.cwd() / pack_file)
    return Given(spec_file=_lay_down(pack, find_dirs()), pack=pack)


def _lay_down(pack: Pack, dirs: Dirs) -> Path:
    """Write spec and lock where later commands find them; the lock is of this very spec, wherever it stands."""
    from envforge.cli.asking import read_spec
    from envforge.lock import write_lock
    from envforge.spec import spec_digest

    key = hashlib.sha256(f"{pack.manifest.spec} {pack.manifest.lock}".encode()).hexdigest()[:16]
    spec_file = dirs.cache / "packs" / key / f"{pack.manifest.name}.yaml"
    try:
        write_whole(spec_file, pack.spec_text)
        lock = replace(pack.lock, spec_digest=spec_digest(read_spec(spec_file)))
        write_whole(lock_path(spec_file), write_lock(lock))
    except OSError as error:
        raise DiskFailed(f"the cache cannot be written: {error.strerror}", (str(spec_file),)) from error
    return spec_file
