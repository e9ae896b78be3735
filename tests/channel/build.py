"""Put the channel together: ``python -m channel.build CHANNEL WHEELS PYTHON...``; the first Python is the main one."""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from channel.interpreter import about_python, minor, repack_python
from channel.stubs import write_stubs
from channel.wheels import repack_wheel


def torch_build(python: str) -> str:
    return f"cpu_generic_py{python.replace('.', '')}_habcdef0_0"


def build_channel(channel: Path, wheels: Path, pythons: list[str]) -> None:
    """Write packages and indexes (flat, zst and sharded), the largest packages first, in two processes."""
    for subdir in ("noarch", "linux-64"):
        (channel / subdir).mkdir(parents=True, exist_ok=True)
    python = minor(about_python(pythons[0])[1])
    paths = sorted(wheels.glob("*.whl"), key=lambda path: -path.stat().st_size)
    names = {path: canonicalize_name(parse_wheel_filename(path.name)[0]) for path in paths}
    cpu = {"build": torch_build(python), "constrains": ["pytorch-gpu ==99999999"]}
    real = (("pytorch", torch_build(python)),) if "torch" in names.values() else ()
    with ProcessPoolExecutor(2) as pool:
        done: list[Future[object]] = []
        for path in paths:
            changes = cpu if names[path] == "torch" else {}
            done.append(pool.submit(repack_wheel, channel, path, python, **changes))
        done += [pool.submit(repack_python, channel, each) for each in pythons]
        done.append(pool.submit(write_stubs, channel, real))
        for each in done:
            each.result()
    asyncio.run(_index(channel))


async def _index(channel: Path) -> None:
    from rattler.index import index_fs

    await index_fs(channel, write_zst=True, write_shards=True)


if __name__ == "__main__":
    build_channel(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    sys.stdout.flush()
    os._exit(0)  # py-rattler 0.28 crashes now and then in a normal exit
