"""What the provisioning tests share: a folder of environments, and `provision` with the small engines filled in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envforge.model import Environment
from envforge.provision import provision
from tiny import engines, lock, quiet, section

Make = Callable[..., Environment]


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    (tmp_path / "envs").mkdir()
    return tmp_path / "envs"


@pytest.fixture
def make(tmp_path: Path, envs: Path) -> Make:
    """Provision ``envs/demo`` (or another prefix) from a section, with engines that can be chosen."""

    def make(part: Any = None, prefix: Path | str | None = None, conda: Any = None, **more: Any) -> Environment:
        chosen = part or section()
        where = Path(prefix) if prefix else envs / "demo"
        more = {"packages": tmp_path / "cache", "emit": quiet, **more}
        return provision(lock(chosen), chosen, where, engines=engines(conda), **more)

    return make


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def listed() -> Callable[[Path], list[str]]:
    return names
