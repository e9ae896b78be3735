"""Which environments there are."""

import json

import pytest

from envforge.errors import DiskFailed, UsageError
from envforge.provision import find_environment, list_environments, register


@pytest.fixture
def registry(tmp_path):
    return tmp_path / "state" / "prefixes.json"


def test_environments_in_the_folder_and_elsewhere_are_listed(make, envs, registry, tmp_path):
    inside, outside = make(), make(prefix=tmp_path / "elsewhere")
    for each in (inside, outside, outside):
        register(registry, each, envs)
    assert [str(tmp_path / "elsewhere")] == json.loads(registry.read_text())["prefixes"]
    assert (outside, inside) == list_environments(envs, registry)


def test_what_is_not_whole_is_not_listed(make, envs, registry, tmp_path):
    register(registry, make(prefix=tmp_path / "gone"), envs)
    for prefix in (tmp_path / "gone", envs / "demo", envs / "half"):
        make(prefix=prefix)
        (prefix / "conda-meta/envforge.json").unlink()
    (envs / "empty").mkdir()
    assert () == list_environments(envs, registry)


@pytest.mark.parametrize("text", ["", "[]", '{"prefixes": 3}', "\0"])
def test_a_broken_registry_hides_nothing_in_the_folder(make, envs, registry, text):
    registry.parent.mkdir()
    registry.write_text(text)
    assert (make(),) == list_environments(envs, registry)


def test_a_registry_that_cannot_be_read_is_not_written_over(make, envs, registry, tmp_path):
    registry.parent.mkdir()
    registry.symlink_to(registry.name)
    with pytest.raises(DiskFailed, match="the disk refused"):
        register(registry, make(prefix=tmp_path / "elsewhere"), envs)
    assert registry.is_symlink()


def test_there_is_no_environment_where_there_is_no_folder(tmp_path, registry):
    assert () == list_environments(tmp_path / "nowhere", registry)


def test_an_environment_is_found_by_name_and_by_prefix(make, envs, registry, tmp_path):
    inside, outside = make(prefix=envs / "one"), make(prefix=tmp_path / "two")
    register(registry, outside, envs)
    assert inside == find_environment("one", envs, registry)
    assert outside == find_environment(str(tmp_path / "two"), envs, registry)
    assert outside == find_environment("demo", tmp_path / "no-envs", registry)


@pytest.mark.parametrize("wanted", ["nosuch", "./nosuch", "/nosuch", ".."])
def test_an_environment_that_is_not_there_is_a_usage_error(envs, registry, wanted):
    with pytest.raises(UsageError):
        find_environment(wanted, envs, registry)


def test_two_environments_of_one_name_are_told_apart_by_prefix(make, envs, registry, tmp_path):
    for name in ("one", "two"):
        register(registry, make(prefix=tmp_path / name), envs)
    with pytest.raises(UsageError, match="several environments are named `demo`") as caught:
        find_environment("demo", envs, registry)
    assert (str(tmp_path / "one"), str(tmp_path / "two")) == caught.value.where
