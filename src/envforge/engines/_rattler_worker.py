"""What runs in the forked worker: the only place where rattler and asyncio live.

py-rattler 0.28: its threads make an interpreter's exit crash now and then, and its work goes on after a cancel. A
worker that is killed does neither. Nothing here may be called in the main process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from envforge.engines.artefacts import check_local, refuse_remote
from envforge.engines.caches import Caches
from envforge.engines.explain import explain, missing_packages
from envforge.engines.failures import install_failure, unreachable
from envforge.engines.mapped import lean
from envforge.engines.network import make_client
from envforge.engines.places import channel_url, cutoff, without_credentials
from envforge.engines.watch import Watch
from envforge.errors import BadArtefact, EnvforgeError, SpecError, Unreachable
from envforge.model import Emit, Locked, Plan, Progress

STEP_S = 0.25


def load() -> None:
    """Import rattler, so that the jobs to come need not."""
    import rattler  # noqa: F401


def make_gateway(caches: Caches) -> Any:
    """Give the worker's gateway, so that what is solved is what was chosen from, and repodata is read once."""
    return _gateway(caches.repodata, caches.offline, caches.turn)


@lru_cache
def _gateway(repodata: Path, offline: bool, turn: int) -> Any:
    """Make a gateway with rattler's own client: retries, credentials, proxies, mirrors of its configuration."""
    from rattler import Gateway, SourceConfig

    config = SourceConfig(cache_action="force-cache-only") if offline else SourceConfig()
    return Gateway(cache_dir=repodata, client=make_client(turn), default_config=config)


def _subdirs(subdir: str) -> list[Any]:
    from rattler import Subdir

    try:
        return [Subdir(cast(Any, subdir)), Subdir("noarch")]
    except ValueError:
        raise SpecError(f"`{subdir}` is not a conda platform") from None


async def names_of(gateway: Any, channel: str, subdir: str, deadline_s: float) -> list[str]:
    """Ask one channel which packages it has. Raises Unreachable, naming the channel, when the deadline passes."""
    from rattler import Channel
    from rattler.exceptions import GatewayError

    try:
        asked = gateway.names([Channel(channel_url(channel))], _subdirs(subdir), channel_relations="disabled")
        return [name.normalized for name in await asyncio.wait_for(asked, deadline_s)]
    except TimeoutError:
        raise unreachable(channel, f"no answer within {deadline_s:g} s") from None
    except GatewayError as error:
        raise unreachable(channel, str(error)) from None


def solve_plan(plan: Plan, caches: Caches, deadline_s: float, emit: Emit) -> tuple[Locked, ...]:
    """Solve for the plan's virtual packages, with nothing detected on this host."""
    return asyncio.run(_solve(plan, caches, deadline_s, emit))


async def _solve(plan: Plan, caches: Caches, deadline_s: float, emit: Emit) -> tuple[Locked, ...]:
    began, gateway = time.monotonic(), make_gateway(caches)
    emit(Progress(phase="solve", subject=", ".join(without_credentials(each) for each in plan.channels)))
    asked = [names_of(gateway, channel, plan.subdir, deadline_s) for channel in plan.channels]
    with lean():
        names = await asyncio.gather(*asked)
        left_s = max(1.0, deadline_s - (time.monotonic() - began))
        records = await _records(plan, gateway, left_s, names)
    return tuple(sorted((locked(record) for record in records), key=lambda each: each.name))


async def _records(plan: Plan, gateway: Any, left_s: float, names: Iterable[list[str]]) -> list[Any]:
    from datetime import timedelta

    from rattler import BuildString, Channel, GenericVirtualPackage, MatchSpec, PackageName, Version, solve
    from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

    virtual = [
        GenericVirtualPackage(PackageName(name), Version(version.split("=")[0]), BuildString(_build_of(version)))
        for name, version in plan.virtual
    ]
    try:
        return await solve(
            [Channel(channel_url(each)) for each in plan.channels],
            [MatchSpec(each) for each in plan.specs],
            gateway=gateway,
            platforms=_subdirs(plan.subdir),
            virtual_packages=virtual,
            constraints=[MatchSpec(each) for each in plan.limits],
            timeout=timedelta(seconds=left_s),
            exclude_newer=cutoff(plan.exclude_newer) if plan.exclude_newer else None,
        )
    except InvalidMatchSpecError as error:
        raise SpecError(f"not a match spec: {error}", plan.specs) from None
    except GatewayError as error:
        raise unreachable(", ".join(plan.channels), str(error)) from None
    except SolverError as error:
        raise await _refusal(str(error), plan, gateway, names) from None


def _build_of(version: str) -> str:
    return version.split("=", 1)[1] if "=" in version else "0"


async def _refusal(text: str, plan: Plan, gateway: Any, names: Iterable[list[str]]) -> EnvforgeError:
    if "cancelled" in text:
        return unreachable(", ".join(plan.channels), "the solve passed its deadline")
    every = {name for each in names for name in each}
    offered = {name: await _versions(gateway, plan, name) for name in missing_packages(text) if name in every}
    return explain(text, dict(plan.virtual), map(without_credentials, plan.channels), offered, sorted(every))


async def _versions(gateway: Any, plan: Plan, name: str) -> tuple[str, ...]:
    """Give the versions that the channels have of a package, newest first."""
    records = await query(gateway, plan.channels, plan.subdir, [name])
    newest = sorted({record.version for record in records}, reverse=True)
    return tuple(map(str, newest))


async def query(gateway: Any, channels: Iterable[str], subdir: str, names: list[str]) -> list[Any]:
    """Give every record of these packages."""
    from rattler import Channel

    urls = [Channel(channel_url(channel)) for channel in channels]
    found = await gateway.query(urls, _subdirs(subdir), names, recursive=False, channel_relations="disabled")
    return [record for records in found for record in records]


def locked(record: Any) -> Locked:
    """Turn a record into what a lock holds. Raises BadArtefact for a record without sha256."""
    url = without_credentials(record.url)
    if not record.sha256:
        raise BadArtefact(f"the channel gives no sha256 for `{record.name.normalized}`", (url,))
    return Locked(
        name=record.name.normalized,
        version=str(record.version),
        kind="conda",
        url=url,
        sha256=record.sha256.hex(),
        build=str(record.build),
        build_number=record.build_number,
        subdir=record.subdir,
        size_bytes=record.size,
        noarch="python" if record.noarch.python else "generic" if record.noarch.generic else None,
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
        site_packages_path=record.python_site_packages_path,
        attestations_sha256=record.attestations_sha256.hex() if record.attestations_sha256 else None,
        md5=record.md5.hex() if record.md5 else None,
    )


def record_of(artefact: Locked) -> Any:
    """Turn what a lock holds into a record that rattler installs."""
    from rattler import BuildString, NoArchType, PackageName, PackageRecord, RepoDataRecord

    record = PackageRecord(
        name=PackageName(artefact.name),
        version=artefact.version,
        build=BuildString(artefact.build),
        build_number=artefact.build_number,
        subdir=artefact.subdir,
        noarch=NoArchType(cast(Any, artefact.noarch)) if artefact.noarch else None,
        depends=list(artefact.depends),
        constrains=list(artefact.constrains),
        sha256=bytes.fromhex(artefact.sha256),
        size=artefact.size_bytes,
        python_site_packages_path=artefact.site_packages_path,
        attestations_sha256=bytes.fromhex(artefact.attestations_sha256) if artefact.attestations_sha256 else None,
    )
    channel, _, name = artefact.url.rpartition("/")
    return RepoDataRecord(record, name, artefact.url, channel.rpartition("/")[0])


def install_locked(
    artefacts: tuple[Locked, ...], stage: Path, final: Path, caches: Caches, stall_s: float, emit: Emit
) -> None:
    """Fill ``stage`` with packages whose files say ``final``."""
    asyncio.run(_install(artefacts, stage, final, caches, stall_s, emit))


async def _install(
    artefacts: tuple[Locked, ...], stage: Path, final: Path, caches: Caches, stall_s: float, emit: Emit
) -> None:
    from rattler import Config, PackageCache, install
    from rattler.exceptions import InstallerError

    cache = PackageCache.new_layered([caches.packages, *caches.shared])
    index, records = await cache.index(), [record_of(each) for each in artefacts]
    absent = [each for each, record in zip(artefacts, records, strict=True) if not index.contains_record(record)]
    check_local(absent)
    if caches.offline:
        refuse_remote(absent)
    watch = Watch(artefacts, absent, emit)
    work = install(
        records,
        stage,
        package_cache=cache,
        client=make_client(caches.turn),
        alternative_target_prefix=final,
        show_progress=False,
        reporter=cast(Any, watch),
        config=Config.from_toml("allow-hard-links = false") if caches.copied else None,
    )
    try:
        await watched(asyncio.ensure_future(work), watch, stall_s)
    except InstallerError as error:
        raise install_failure(str(error), artefacts) from None


async def watched(work: asyncio.Future[Any], watch: Watch, stall_s: float) -> None:
    """Wait for the work; raise Unreachable when a download is under way and nothing moved for ``stall_s``."""
    while not work.done():
        await asyncio.wait({work}, timeout=STEP_S)
        if not work.done() and watch.stalled_s() > stall_s:
            names = ", ".join(f"`{name}`" for name in watch.downloading())
            raise Unreachable(f"the download of {names} stands still since {stall_s:g} s", watch.urls())
    work.result()


def broken_limits(limits: Iterable[str], artefacts: tuple[Locked, ...]) -> tuple[str, ...]:
    """Give the limits (match specs) that some artefact of the same name does not fit."""
    from rattler import MatchSpec
    from rattler.exceptions import InvalidMatchSpecError

    records = {each.name: record_of(each) for each in artefacts}
    try:
        specs = [(limit, MatchSpec(limit)) for limit in limits]
    except InvalidMatchSpecError as error:
        raise SpecError(f"not a match spec: {error}", tuple(limits)) from None
    named = ((limit, spec, limit.split()[0]) for limit, spec in specs)
    return tuple(limit for limit, spec, name in named if name in records and not spec.matches(records[name]))
