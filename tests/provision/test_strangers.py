"""Files that no package brought."""

from envforge.provision import strangers
from tiny import HERE, section, wheel


def test_there_are_none_in_a_fresh_environment(make):
    assert () == strangers(make(section(variables=(("A", "1"),))))
    assert () == strangers(make(section(wheel("einops"), interpreter=HERE), prefix=None))


def test_files_of_a_person_are_named(make):
    prefix = make().prefix
    for path in ("notes.ipynb", "work/data/large.bin"):
        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / path).write_text("mine")
    assert ("notes.ipynb", "work/data/large.bin") == strangers(make(prefix=prefix))


def test_what_programs_leave_behind_is_nobodys(make):
    prefix = make().prefix
    for path in ("share/numpy/cache.bin", "bin/__pycache__/x.pyc", "etc/envforge/verified.json", "pyvenv.cfg"):
        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / path).write_text("")
    assert () == strangers(make(prefix=prefix))
