"""What the tests of foreign files share: the facts, and a way to import a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from envforge.errors import UsageError
from envforge.facts import Facts, load_facts
from envforge.foreign import Imported, import_file

Importer = Callable[..., Imported]


@pytest.fixture(scope="session")
def facts() -> Facts:
    return load_facts()


@pytest.fixture
def imported(facts: Facts) -> Importer:
    """Import a text under a file's name; ``beside`` are files that it includes."""

    def run(text: str, name: str, beside: Mapping[str, str] | None = None, **flags: Any) -> Imported:
        def read(path: str) -> str:
            if path not in (beside or {}):
                raise UsageError(f"the included file `{path}` does not exist", (path,))
            return (beside or {})[path]

        return import_file(text, name, facts, read, **flags)

    return run
