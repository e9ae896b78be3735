"""Fixtures that all rooms share: a real conda channel, real wheels, a server that lies on demand.

Rattler must never be used in pytest's own process, only in children (`run.in_child`): its threads crash forks and exits.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from channel.served import Served, serve
from channel.wheelhouse import Channel, fetch_channel, fetch_wheels

settings.register_profile("default", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile("default")


def pytest_configure() -> None:
    """Heed Ctrl-C even where whoever started us ignores it (``&`` in a script): what tests start inherits that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def wheelhouse() -> Path:
    """A folder of real wheels (numpy, sympy, ...; torch 2.13.0+cpu where pip finds it)."""
    return fetch_wheels()


@pytest.fixture(scope="session")
def channel() -> Channel:
    """A real conda channel: ``.url`` (file://), ``.path``, ``.python`` (main minor), ``.torch`` (is it real)."""
    if sys.base_prefix == "/usr":
        pytest.skip("the system's Python cannot be repacked: its files say `/usr` everywhere")
    return fetch_channel()


@pytest.fixture
def http_server() -> Iterator[Callable[[Path], Served]]:
    """Serve folders over HTTP: ``served = http_server(folder)``, then ``served.url``, ``.requests``, ``.misbehave``."""
    with ExitStack() as stack:
        yield lambda root: stack.enter_context(serve(root))
