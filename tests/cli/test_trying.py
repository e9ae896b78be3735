"""`create` when checks fail: the layer at fault, the next candidate, and what becomes of the ones before.

The stand-in torches of the small channels have no code, so they fail for good; the real one, where it is, passes.
"""

import subprocess
import sys

import pytest

from channel.archive import write_conda
from channel.stubs import torch_records
from cli.calling import envelope
from cli.calling import envforge as call
from cli.making import PYTHON

INDEX = """
import asyncio, os, sys
from pathlib import Path
from rattler.index import index_fs
asyncio.run(index_fs(Path(sys.argv[1]), write_zst=True, write_shards=True))
os._exit(0)
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> str:
    """A channel of two newer torches that cannot be imported."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "noarch").mkdir()
    for torch in ("2.14.0", "2.14.1"):
        write_conda(folder, next(torch_records(torch, PYTHON, ())))
    subprocess.run([sys.executable, "-c", INDEX, folder], check=True, timeout=60)
    return folder.as_uri()


def both(home, broken, channel, **keys):
    return home.spec(channel.url, torch=">=2.13", sources=[broken, channel.url], channels=[broken, channel.url], **keys)


def test_a_failed_check_names_its_layer_and_the_next_candidate(home, channel):
    spec = home.spec(channel.url, torch=">=2.8,<2.13")
    document = envelope(home.create(spec, "--json"))
    (tried,) = document["data"]["tries"]
    assert ("2.9.1", "fail", "build", "import_torch") == tuple(tried[k] for k in ("torch", "verdict", "layer", "check"))
    assert "2.8.0" == document["data"]["next"]["torch"]
    assert (
        f"`envforge create {spec} -n demo --try-next 1` would take torch 2.8.0" in document["errors"][-1]["hints"][-1]
    )
    again = home.create(spec, COLUMNS="300")
    assert (1, True) == (again.returncode, f"torch 2.9.1 for the CPU on Python {PYTHON}" in again.stdout)
    assert "the torch build: `import_torch` failed" in again.stdout
    assert "Use it" not in again.stdout
    assert ["fail"] == [each["verified"]["verdict"] for each in home.listed()]


def test_the_hint_repeats_the_sources_that_were_given(home, channel, tmp_path):
    spec = home.spec(channel.url, torch=">=2.8,<2.13", channels=None)
    document = envelope(home.create(spec, "--channel", channel.url, "--find-links", tmp_path, "--json"))
    again = f"-n demo --channel {channel.url} --find-links {tmp_path} --try-next 1`"
    assert again in document["errors"][-1]["hints"][-1]


def test_the_next_candidates_are_taken_until_one_passes(home, broken, channel):
    if not channel.torch:
        pytest.skip("pip finds no CPU wheel of torch here")
    spec = both(home, broken, channel)
    document = envelope(home.create(spec, "--json", "--try-next", "5"))
    tries = [(each["torch"], each["verdict"]) for each in document["data"]["tries"]]
    assert [("2.14.1", "fail"), ("2.14.0", "fail"), ("2.13.0", "pass")] == tries
    assert (0, None, "2.13.0") == (
        document["exit"],
        document["data"]["next"],
        document["data"]["plan"]["choice"]["torch"],
    )
    assert ["proof", "proof"] == [each["rule"] for each in document["data"]["plan"]["choice"]["reasons"]]
    again = envelope(home.create(spec, "--json", "--locked"))
    assert (0, False, ["2.13.0"]) == (
        again["exit"],
        again["data"]["changed"],
        [each["torch"] for each in home.listed()],
    )


def test_tries_are_bounded_and_what_stood_before_is_kept(home, broken, channel):
    home.create(home.spec(channel.url, torch="2.8.*"))
    spec = both(home, broken, channel)
    done = home.create(spec, "--try-next", "1", COLUMNS="300")
    assert 1 == done.returncode
    assert f"trying torch 2.14.0 for the CPU on Python {PYTHON}" in done.stderr
    assert 2 == done.stdout.count("the torch build: `import_torch` failed")
    assert ["2.14.0"] == [each["torch"] for each in home.listed()]
    document = envelope(home.create(spec, "--json"))
    assert "2.13.0" == document["data"]["next"]["torch"]
    back = envelope(call("rollback", "demo", "--json", **home.variables))
    assert "2.8.0" == back["data"]["torch"]


def test_when_nothing_is_left_that_is_said(home, channel):
    document = envelope(home.create(home.spec(channel.url, torch="2.8.*"), "--json", "--try-next", "3"))
    assert (1, None, 1) == (document["exit"], document["data"]["next"], len(document["data"]["tries"]))
    assert "no other build that the spec allows is left to try" == document["errors"][-1]["hints"][-1]


def test_another_candidate_and_an_unchanged_lock_exclude_each_other(home, channel):
    done = home.create(home.spec(channel.url), "--locked", "--try-next", "1")
    assert (2, [], True) == (done.returncode, home.left(), "`--try-next`" in done.stderr)
