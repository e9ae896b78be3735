"""Every byte against what the packages say of their files."""

import base64
import hashlib
import json

import pytest

from envforge.provision import (
    Caches,
    Drift,
    Flaw,
    delete_entry,
    drift,
    find_damaged,
    look_deep,
    read_damage,
    store_damage,
    wheel_in,
)
from tiny import HERE, SITE, package, quiet, section, wheel

CONDA = section(package("python", "3.11.7"), package("numpy", "2.4.6"))


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def tell(prefix, stem, *entries):
    """Have a conda record tell these files."""
    plain = json.dumps({"paths_data": {"paths": list(entries)}})
    (prefix / f"conda-meta/{stem}.json").write_text(plain)


def put(folder, path, text):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
    return {"_path": path, "path_type": "hardlink", "sha256": sha256(text)}


@pytest.fixture
def caches(tmp_path):
    return Caches.below(tmp_path / "cache", tmp_path / "cache/pkgs")


@pytest.fixture
def made(make):
    return make(CONDA)


def look(environment, caches):
    return look_deep(environment, caches, quiet)


def test_what_is_as_it_was_installed_is_fine(made, caches):
    tell(made.prefix, "numpy-2.4.6-0", put(made.prefix, "lib/a.py", "a"), put(made.prefix, "lib/b.py", "b"))
    assert (7, (), ()) == ((found := look(made, caches)).files, found.flaws, found.entries)


@pytest.mark.parametrize("what", ["changed", "missing", "unreadable"])
def test_a_file_that_is_wrong_is_named_with_its_package(made, caches, what):
    tell(made.prefix, "numpy-2.4.6-0", put(made.prefix, "lib/a.py", "a"))
    path = made.prefix / "lib/a.py"
    if what == "changed":
        path.write_text("b")
    else:
        path.unlink()
    if what == "unreadable":
        path.mkdir()
    assert (Flaw(package="numpy-2.4.6-0", path="lib/a.py", what=what),) == look(made, caches).flaws


def test_a_package_from_another_archive_than_the_locked_one_is_found(made, caches):
    tell(made.prefix, "numpy-2.4.6-0")
    record = made.prefix / "conda-meta/numpy-2.4.6-0.json"
    record.write_text(json.dumps({"sha256": "1" * 64}))
    flaw = Flaw(package="numpy", path="conda-meta/numpy-2.4.6-0.json", what="changed")
    assert (flaw,) == look(made, caches).flaws


def test_a_file_with_the_prefix_inside_is_held_against_what_it_became(made, caches):
    entry = put(made.prefix, "bin/tool", f"#!{made.prefix}/bin/python")
    became = entry["sha256"]
    patched = {**entry, "sha256": "0" * 64, "sha256_in_prefix": became, "prefix_placeholder": "/placeholder"}
    tell(made.prefix, "numpy-2.4.6-0", patched)
    assert () == look(made, caches).flaws


def test_what_python_compiles_anew_from_a_patched_source_is_its_own(made, caches):
    source = put(made.prefix, "lib/python3.11/config.py", "a") | {"prefix_placeholder": "/placeholder"}
    compiled = put(made.prefix, "lib/python3.11/__pycache__/config.cpython-311.pyc", "old")
    other = put(made.prefix, "lib/python3.11/__pycache__/os.cpython-311.pyc", "old")
    tell(made.prefix, "numpy-2.4.6-0", source, compiled, other)
    for each in (compiled, other):
        (made.prefix / each["_path"]).write_text("new")
    assert [other["_path"]] == [each.path for each in look(made, caches).flaws]


def test_a_soft_link_is_held_against_where_it_leads(made, caches):
    (made.prefix / "lib").mkdir()
    (made.prefix / "lib/link").symlink_to("a.so.1")
    link = {"_path": "lib/link", "path_type": "softlink", "sha256_in_prefix": sha256("a.so.1")}
    tell(made.prefix, "numpy-2.4.6-0", link, {"_path": "lib/empty", "path_type": "directory"})
    assert () == look(made, caches).flaws
    (made.prefix / "lib/link").unlink()
    (made.prefix / "lib/link").symlink_to("python3.11")
    (made.prefix / "lib/python3.11").write_text("")
    assert ["changed"] == [each.what for each in look(made, caches).flaws]


def test_a_file_of_two_packages_is_right_as_either_brought_it(made, caches):
    entry = put(made.prefix, "lib/both", "b")
    tell(made.prefix, "python-3.11.7-0", {**entry, "sha256": sha256("a")})
    tell(made.prefix, "numpy-2.4.6-0", entry)
    assert () == look(made, caches).flaws


def record(folder, name, *rows):
    """Write a wheel's RECORD: path and text of each file."""
    lines = []
    for path, text in rows:
        put(folder, path, text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text)}\n")
    put(folder, f"{name}.dist-info/RECORD", "".join(lines) + f"{name}.dist-info/RECORD,,\n")


def test_the_files_of_a_wheel_are_held_against_its_record(make, caches):
    made = make(section(wheel("einops"), interpreter=HERE))
    record(made.prefix / SITE, "einops-1.0", ("einops/a.py", "a"), ("../../../bin/tool", "b"))
    assert (3, ()) == ((found := look(made, caches)).files, found.flaws)
    (made.prefix / "bin/tool").write_text("c")
    assert [("einops-1.0", "bin/tool")] == [(each.package, each.path) for each in look(made, caches).flaws]


def test_a_wheels_record_inside_a_conda_package_is_not_asked(make, caches):
    made = make(CONDA)
    record(made.prefix / SITE, "numpy-2.4.6", ("numpy/a.py", "a"))
    (made.prefix / SITE / "numpy/a.py").unlink()
    assert () == look(made, caches).flaws


@pytest.fixture
def shared(made, tmp_path):
    """An environment whose one file is a hard link to the cache's."""
    entry = tmp_path / "cache/pkgs/numpy-2.4.6-0"
    told = put(entry, "lib/a.py", "a")
    put(entry, "info/paths.json", json.dumps({"paths": [told]}))
    put(tmp_path / "cache/pkgs/other-1.0-0", "info/paths.json", json.dumps({"paths": [told]}))
    (made.prefix / "lib").mkdir()
    (made.prefix / "lib/a.py").hardlink_to(entry / "lib/a.py")
    tell(made.prefix, "numpy-2.4.6-0", told)
    return made


def test_an_edit_through_a_hard_link_is_found_in_the_cache_too(shared, caches, tmp_path):
    assert () == look(shared, caches).entries
    (shared.prefix / "lib/a.py").write_text("evil")
    found = look(shared, caches)
    assert (["lib/a.py"], (f"{tmp_path}/cache/pkgs/numpy-2.4.6-0",)) == (
        [each.path for each in found.flaws],
        found.entries,
    )


def test_a_damaged_entry_is_deleted_and_no_other(shared, caches, tmp_path):
    (shared.prefix / "lib/a.py").write_text("evil")
    found = [tmp_path / "cache/pkgs/numpy-2.4.6-0"]
    assert (found, [*found, tmp_path / "cache/pkgs/other-1.0-0"]) == (
        list(find_damaged(caches, shared)),
        list(find_damaged(caches)),
    )
    delete_entry(found[0])
    assert ["other-1.0-0"] == [path.name for path in (tmp_path / "cache/pkgs").iterdir()]


def test_uvs_unpacked_wheels_are_looked_at(make, caches, tmp_path):
    made = make(section(wheel("einops"), interpreter=HERE))
    entry = tmp_path / "cache/uv/archive-v0/AbC"
    record(entry, "einops-1.0", ("einops/a.py", "a"))
    assert () == look(made, caches).entries
    (entry / "einops/a.py").write_text("evil")
    assert ((str(entry),), "einops") == (look(made, caches).entries, wheel_in(entry))


def test_what_was_found_is_remembered_until_it_is_made_anew(make, caches):
    made = make(CONDA)
    tell(made.prefix, "numpy-2.4.6-0", put(made.prefix, "lib/a.py", "a"))
    (made.prefix / "lib/a.py").write_text("b")
    found = look(made, caches)
    store_damage(made.prefix, found)
    assert (found, Drift(changed=("numpy-2.4.6-0",))) == (read_damage(made.prefix), drift(made))
    assert (None, True) == (read_damage((again := make(CONDA)).prefix), drift(again).clean)


def test_what_was_found_is_forgotten_when_it_is_right_again(shared, caches):
    (shared.prefix / "lib/a.py").write_text("b")
    store_damage(shared.prefix, look(shared, caches))
    (shared.prefix / "lib/a.py").write_text("a")
    store_damage(shared.prefix, look(shared, caches))
    assert drift(shared).clean


@pytest.mark.parametrize("text", ["", "{", "[1"])
def test_what_a_power_cut_left_empty_is_damaged(shared, caches, tmp_path, text):
    entry = tmp_path / "cache/pkgs/numpy-2.4.6-0"
    (entry / "info/paths.json").write_text(text)
    (shared.prefix / "conda-meta/numpy-2.4.6-0.json").write_text(text)
    found = look(shared, caches)
    assert ([Flaw(package="numpy-2.4.6-0", path="conda-meta/numpy-2.4.6-0.json", what="changed")], (str(entry),)) == (
        list(found.flaws),
        found.entries,
    )


def test_an_empty_record_of_a_wheel_is_damaged(make, caches, tmp_path):
    made = make(section(wheel("einops"), interpreter=HERE))
    entry = tmp_path / "cache/uv/archive-v0/AbC"
    record(entry, "einops-1.0", ("einops/a.py", "a"))
    (entry / "einops-1.0.dist-info/RECORD").write_text("")
    assert (str(entry),) == look(made, caches).entries
