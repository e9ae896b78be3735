"""What is struck, lied to and starved: a home of its own, and servers that can be made to misbehave."""

import pytest

from channel.served import write_index
from cli.making import Home


@pytest.fixture
def home(tmp_path):
    return Home(root=tmp_path, cache=tmp_path / "cache")


@pytest.fixture
def served(channel, http_server, wheelhouse, tmp_path):
    """The channel and an index of one wheel over HTTP, slowed or cut as a test wants."""
    root = tmp_path / "served"
    root.mkdir()
    (root / "channel").symlink_to(channel.path)
    write_index(root, list(wheelhouse.glob("setuptools-*.whl")))
    return http_server(root)
