"""Files that somebody edits in a real environment, whose cache has the same file by a hard link."""

import json

import pytest

from channel.served import write_index
from cli.calling import envelope
from cli.calling import envforge as call
from cli.making import PYTHON


@pytest.fixture
def spec(home, channel, wheelhouse, http_server, tmp_path):
    """A spec with a conda package and a wheel."""
    root = tmp_path / "served"
    root.mkdir()
    write_index(root, list(wheelhouse.glob("setuptools-*.whl")))
    indexes = [f"{http_server(root).url}/simple"]
    return home.spec(channel.url, conda=["mpmath"], indexes=indexes, wheels=["setuptools"])


def edit(path):
    """Add a line in place, as an editor or `sed` without a new file would."""
    with path.open("a") as file:
        file.write("# edited\n")


def deep(home):
    return envelope(call("status", "demo", "--deep", "--json", **home.variables))


@pytest.mark.parametrize("package", ["mpmath", "setuptools"])
def test_an_edit_through_a_hard_link_is_found_and_put_right(home, spec, package):
    home.create(spec)
    assert [] == deep(home)["data"]["files"]["flaws"]
    edited = home.envs / f"demo/lib/python{PYTHON}/site-packages/{package}/__init__.py"
    assert edited.stat().st_nlink > 1
    edit(edited)
    assert "unverified" == envelope(call("status", "demo", "--json", **home.variables))["data"]["state"]
    found = deep(home)
    assert (4, "drifted", [str(edited.relative_to(home.envs / "demo"))]) == (
        found["exit"],
        found["data"]["state"],
        [each["path"] for each in found["data"]["files"]["flaws"]],
    )
    assert 1 == len(found["data"]["files"]["entries"])
    home.create(spec)
    assert (0, [], []) == (
        (again := deep(home))["exit"],
        *(again["data"]["files"][key] for key in ("flaws", "entries")),
    )
    assert "# edited" not in edited.read_text()


def test_what_was_edited_in_the_cache_alone_is_cleaned(home, spec):
    home.create(spec)
    edit(next(home.cache.glob("pkgs/mpmath-*/site-packages/mpmath/__init__.py")))
    done = call("clean", "--damaged", "--json", **home.variables)
    assert ["mpmath-1.3.0-pyh0000000_0"] == json.loads(done.stdout)["data"]["damaged"]
    home.create(spec, "-n", "second")
    found = envelope(call("status", "second", "--deep", "--json", **home.variables))
    assert "second" == found["data"]["name"]
    assert ([], []) == (found["data"]["files"]["flaws"], found["data"]["files"]["entries"])


def test_copies_share_nothing_with_the_cache(home, spec):
    home.create(spec, ENVFORGE_LINK_MODE="copy")
    site = home.envs / f"demo/lib/python{PYTHON}/site-packages"
    files = [path for path in site.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {1} == {path.stat().st_nlink for path in files}
    for package in ("mpmath", "setuptools"):
        edit(site / package / "__init__.py")
    found = deep(home)["data"]["files"]
    assert (2, []) == (len(found["flaws"]), found["entries"])


def test_another_way_to_link_is_refused(home, spec):
    document = envelope(home.create(spec, "--json", ENVFORGE_LINK_MODE="symlink"))
    said = "`ENVFORGE_LINK_MODE` must be `hardlink` or `copy`, not `symlink`"
    assert (2, said) == (document["exit"], document["errors"][0]["message"])


@pytest.mark.parametrize("allowed", [None, ["prefix-probe"], ["snail"]])
def test_a_link_script_runs_where_the_spec_allows_it_by_name(home, channel, allowed):
    spec = home.spec(channel.url, conda=["prefix-probe"], **{"link-scripts": allowed})
    done = home.create(spec, COLUMNS="200")
    ran = allowed == ["prefix-probe"]
    assert (ran, not ran, allowed == ["snail"]) == (
        (home.envs / "demo/post-link-ran").exists(),
        "the link script of `prefix-probe` was not run" in done.stderr,
        "`link-scripts` names `snail`, and no such conda package is locked" in done.stderr,
    )
    assert ran == ("link_scripts: true" in spec.with_name("demo.lock.yaml").read_text())
    assert [] == deep(home)["data"]["files"]["flaws"]
