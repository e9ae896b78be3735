"""Files of their own, or hard links into the caches."""

from pathlib import Path

import pytest

from envforge.engines import make_engine
from envforge.errors import UsageError
from envforge.run import copies


@pytest.mark.parametrize(("word", "expected"), [(None, False), ("", False), ("hardlink", False), ("copy", True)])
def test_a_variable_says_whether_files_are_copied(word: str | None, expected: bool) -> None:
    assert expected == copies({} if word is None else {"ENVFORGE_LINK_MODE": word})


def test_another_word_is_refused() -> None:
    with pytest.raises(UsageError, match="must be `hardlink` or `copy`, not `clone`"):
        copies({"ENVFORGE_LINK_MODE": "clone"})


def test_an_engine_that_is_not_told_to_copy_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "mamba"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    here = {"PATH": str(program.parent), "ENVFORGE_LINK_MODE": "copy"}
    with pytest.raises(UsageError, match="engine `mamba` is not told to copy files"):
        make_engine("mamba", tmp_path, environ=here)
