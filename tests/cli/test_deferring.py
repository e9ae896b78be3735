"""Made on a machine without a GPU, proven later where there is one: what `create` and `verify` leave open, and say."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from cli.forging import forge

A100 = {"a100": {"driver": "580", "gpus": ["NVIDIA A100-SXM4-80GB"], "glibc": "2.36"}}


@pytest.fixture
def deferred(home, channel):
    """An environment for a GPU that is not here, made here."""
    spec = home.spec(channel.url, targets=A100)
    assert 0 == home.create(spec, "--target", "a100", "--no-verify").returncode
    return home


def verify(home, *words, **environ):
    return call("verify", "demo", *words, "--no-progress", **{**home.variables, **environ})


def test_no_checks_are_run_when_that_is_asked(home, channel):
    done = home.create(home.spec(channel.url), "--no-verify", COLUMNS="300")
    assert (0, "demo stands: not checked on this machine") == (done.returncode, done.stdout.splitlines()[0])
    assert "not verified here: `--no-verify` was asked for; run `envforge verify" in done.stderr
    assert [None] == [each["verified"] for each in home.listed()]
    assert "unverified" == envelope(call("status", "demo", "--json", **home.variables))["data"]["state"]


def test_what_was_proven_elsewhere_is_not_told_as_proven_here(deferred):
    spec = deferred.root / "work" / "demo.yaml"
    again = envelope(deferred.create(spec, "--target", "a100", "--json"))
    assert (0, False, None) == (again["exit"], again["data"]["changed"], again["data"]["verify"])


def test_deferral_is_said_everywhere_and_proves_nothing(deferred, tmp_path):
    place = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    done = verify(deferred, "--defer", "--junit", tmp_path / "report.xml", **place)
    assert (0, "") == (done.returncode, done.stdout)
    assert "::notice title=envforge%3A not verified yet::" in done.stderr
    assert (tmp_path / "summary.md").read_text().startswith("### envforge verify: deferred\n")
    (case,) = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert ("deferred", ["skipped"]) == (case.get("name"), [each.tag for each in case])
    assert [None] == [each["verified"] for each in deferred.listed()]
    document = envelope(verify(deferred, "--defer", "--json"))
    assert (0, "inconclusive", True) == (
        document["exit"],
        document["data"]["verdict"],
        bool(document["data"]["deferred"]),
    )


def test_without_deferral_a_machine_that_cannot_prove_it_fails(deferred):
    assert 1 == verify(deferred).returncode


def test_a_proof_can_be_asked_of_the_targets_own_gpu(deferred):
    done = verify(deferred, "--require", "gpu,target")
    assert (1, "error: target `a100` is NVIDIA A100-SXM4-80GB (8.0), and this machine has no GPU") == (
        done.returncode,
        done.stderr.splitlines()[0],
    )


def test_only_what_was_made_from_a_spec_has_a_target():
    done = call("verify", "--python", "python3", "--require", "target")
    assert (2, "error: `--require target` needs an environment that was made from a spec") == (
        done.returncode,
        done.stderr.splitlines()[0],
    )


def test_what_this_machine_can_run_is_not_deferred(home, channel):
    home.create(home.spec(channel.url), "--no-verify")
    assert 1 == verify(home, "--defer").returncode


def test_a_wheels_only_lock_stands_on_the_python_of_this_machine(home, wheelhouse):
    if not list(wheelhouse.glob("torch-*")):
        pytest.skip("pip finds no CPU wheel of torch here")
    targets = {"desk": {"gpus": [], "glibc": "2.36"}}
    spec = home.spec("", torch="2.13.*", sources=["pypi"], channels=[], targets=targets)
    words = ("--target", "desk", "--find-links", wheelhouse)
    assert 0 == call("lock", spec, *words, "--no-progress", **home.variables).returncode
    lock = spec.with_name("demo.lock.yaml")
    forge(lock, lambda each: replace(each, interpreter=replace(each.interpreter, path="/nowhere/python")))
    assert 0 == home.create(spec, *words, "--locked", "--dry-run").returncode
