"""Whatever a file says, it is imported or refused with a place; never a crash."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envforge.errors import EnvforgeError
from envforge.foreign import Imported, import_file
from envforge.spec import parse_spec, write_spec
from foreign.test_conda_env import OLD
from foreign.test_locks import CONDA_LOCK, pixi_lock
from foreign.test_pixi import FEATURES
from foreign.test_pyproject import POETRY, UV
from foreign.test_requirements import TEXT

FILES = [
    ("environment.yml", OLD),
    ("requirements.txt", TEXT),
    ("pyproject.toml", UV),
    ("pyproject.toml", POETRY),
    ("pixi.toml", FEATURES),
    ("conda-lock.yml", CONDA_LOCK),
    ("pixi.lock", pixi_lock(6)),
    ("pixi.lock", pixi_lock(7)),
]
SNIPPETS = st.sampled_from(
    ["", "x", "3", '"', "[1]", "{a = 1}", "- a: b\n", "\n", "  ", ": ", "= ", "null", "true", "==", ",", "*"]
)


@st.composite
def damaged(draw):
    """Draw a file of which some stretches were put in place of others."""
    name, text = draw(st.sampled_from(FILES))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        until = text.find("\n", at) if draw(st.booleans()) else at + draw(st.integers(0, 12))
        text = text[:at] + draw(SNIPPETS) + text[max(at, until) :]
    return name, text


@pytest.mark.law
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(file=damaged())
def test_any_file_is_imported_or_refused(facts, file):
    name, text = file
    with contextlib.suppress(EnvforgeError):
        found = import_file(text, name, facts, lambda path: "numpy\n")
        assert isinstance(found, Imported)
        assert parse_spec(write_spec(found.spec), name) == found.spec
