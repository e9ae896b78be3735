import pytest

from envforge.facts import Facts, load_facts
from envforge.facts.compile import DATA, read_parts
from envforge.facts.reading import Part


@pytest.fixture(scope="session")
def facts() -> Facts:
    return load_facts()


@pytest.fixture(scope="session")
def parts() -> dict[str, Part]:
    return read_parts(DATA)
