"""What tests of commands share: a home of its own, and one cache, so that torch is unpacked once."""

import pytest

from cli.making import Home


@pytest.fixture
def home(tmp_path, tmp_path_factory):
    return Home(root=tmp_path, cache=tmp_path_factory.getbasetemp() / "create-cache")
