"""What tests of a fleet's commands share: a home of its own."""

import pytest

from cli.making import Home


@pytest.fixture
def home(tmp_path):
    return Home(root=tmp_path, cache=tmp_path / "cache")
