"""Keep a wide channel's repodata out of the worker's memory while it is read.

rattler maps a flat ``repodata.json`` (conda-forge's linux-64: some 90 MB) and looks at all of it; every page that it
has looked at then counts as the process's own, though of 200,000 records a few hundred are looked at again. Pages of a
file that is mapped read-only can be given back at any time: what is looked at again comes from the system's page cache.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EVERY_S = 0.002
LEAST_BYTES = 8 << 20
MAPS = Path("/proc/self/maps")
GiveBack = Callable[[int, int, int], int]


@contextmanager
def lean() -> Iterator[None]:
    """Give back, while inside, the pages of large mapped JSON files; does nothing where the system has no such call.

    What maps them must outlive the context (rattler's gateway does): an address must not change hands meanwhile.
    """
    if not MAPS.exists() or not hasattr(mmap, "MADV_DONTNEED"):
        yield
        return
    done, give_back = threading.Event(), ctypes.CDLL(None).madvise
    give_back.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    thread = threading.Thread(target=_shed_until, args=(done, give_back), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _shed_until(done: threading.Event, give_back: GiveBack) -> None:
    while not done.wait(EVERY_S):
        for first, length in mapped_json(MAPS.read_bytes()):
            give_back(first, length, mmap.MADV_DONTNEED)


def mapped_json(maps: bytes) -> Iterator[tuple[int, int]]:
    """Give address and length of every large JSON file that is mapped to be read and never written."""
    if b".json\n" not in maps:
        return
    for line in maps.splitlines():
        if line.endswith(b".json") and b" r--" in line:
            first, last = (int(each, 16) for each in line.split(maxsplit=1)[0].split(b"-"))
            if last - first >= LEAST_BYTES:
                yield first, last - first
