"""What the checks of an environment see: the same as a program inside."""

import pytest

from envforge.cli.proving import variables_inside
from envforge.provision import provision
from tiny import engines, lock, package, quiet, section


@pytest.fixture
def made(tmp_path):
    part = section(package("python", "3.11.7"), variables=(("OMP_NUM_THREADS", "2"),))
    return provision(lock(part), part, tmp_path / "env", engines=engines(), packages=tmp_path / "cache", emit=quiet)


def script(made, text: str) -> None:
    folder = made.prefix / "etc/conda/activate.d"
    folder.mkdir(parents=True)
    (folder / "compiler.sh").write_text(text)


def test_checks_find_the_compilers_that_packages_bring(made):
    script(made, "echo noise\nexport CC=$CONDA_PREFIX/bin/x86_64-conda-linux-gnu-cc\n")
    inside = dict(variables_inside(made))
    assert (f"{made.prefix}/bin/x86_64-conda-linux-gnu-cc", "2") == (inside["CC"], inside["OMP_NUM_THREADS"])
    assert inside["PATH"].startswith(f"{made.prefix}/bin:")


def test_a_script_that_fails_costs_only_what_it_would_have_set(made):
    script(made, "export CC=cc; exit 1\n")
    inside = dict(variables_inside(made))
    assert (None, str(made.prefix)) == (inside.get("CC"), inside["CONDA_PREFIX"])
