"""`envforge create` on a real channel: whole, proven, and nothing at all the second time.

The stand-in torch of the small channel has no code, so its first check fails: that the environment stays, and is not
told as proven, is part of what is tested. Where the channel has a real torch, it is proven.
"""

import json
from dataclasses import replace

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from cli.forging import forge_package
from patience import in_time


@pytest.fixture
def real(channel):
    if not channel.torch:
        pytest.skip("pip finds no CPU wheel of torch here")
    return channel


def test_an_environment_is_made_proven_and_then_left_alone(home, real):
    spec = home.spec(real.url, torch="2.13.*", variables={"OMP_NUM_THREADS": "2"})
    first = envelope(home.create(spec, "--json"))
    assert (True, "pass") == (first["data"]["changed"], first["data"]["verify"]["verdict"])
    with in_time(3):
        second = envelope(home.create(spec, "--json"))
    assert (0, False, "pass") == (second["exit"], second["data"]["changed"], second["data"]["verify"]["verdict"])
    assert {"name", "prefix", "changed", "plan", "lock", "engine", "verify", "took_s", "tries", "next"} == set(
        second["data"]
    )
    assert {"detect", "resolve", "lock", "provision", "verify"} == set(second["data"]["took_s"])
    assert [("demo", "2.13.0", "pass")] == [
        (each["name"], each["torch"], each["verified"]["verdict"]) for each in home.listed()
    ]
    code = "import os, torch; print(torch.__version__, os.environ['OMP_NUM_THREADS'])"
    page = home.create(spec, COLUMNS="200").stdout
    assert "demo is ready (nothing changed): proven to run here" in page
    assert f"{home.envs}/demo" in page
    assert "envforge run -n demo python ..." in page
    assert "2.13.0+cpu 2\n" == call("run", "-n", "demo", "python", "-c", code, **home.variables).stdout


def test_an_environment_that_fails_its_checks_stays_and_is_not_told_as_proven(home, channel):
    spec = home.spec(channel.url)
    document = envelope(home.create(spec, "--json"))
    assert (1, "fail") == (document["exit"], document["data"]["verify"]["verdict"])
    assert document["errors"][0]["message"].startswith("check `import_torch` failed")
    assert ["fail"] == [each["verified"]["verdict"] for each in home.listed()]
    assert home.create(spec, COLUMNS="200").stdout.startswith("demo stands, but is not ready: does not run here")
    assert "failed" in call("list", **home.variables, COLUMNS="300").stdout


def test_an_environment_is_verified_again_with_the_checks_of_its_spec(home, channel):
    spec = home.spec(channel.url, checks=["build_facts", "numpy_bridge"])
    home.create(spec)
    for words, names in (((), ["build_facts", "numpy_bridge"]), (("--checks", "rng"), ["device_init", "rng"])):
        again = envelope(call("verify", "demo", *words, "--json", **home.variables))
        assert ["import_torch", *names] == [each["check"] for each in again["data"]["results"]]
    asked = envelope(call("verify", "demo", "--json", **home.variables))["data"]["results"]
    assert ["import_torch", "build_facts", "numpy_bridge"] == [each["check"] for each in asked]


def test_the_lock_is_beside_the_spec_and_is_used_again(home, channel):
    spec = home.spec(channel.url)
    home.create(spec)
    lock = spec.with_name("demo.lock.yaml")
    written = lock.read_text()
    call("remove", "demo", **home.variables)
    done = home.create(spec, "--locked")
    assert (1, written) == (done.returncode, lock.read_text())
    assert ["demo"] == [each["name"] for each in home.listed()]


@pytest.mark.parametrize("flag", ["--locked", "--frozen"])
def test_without_a_lock_one_that_demands_it_is_stale(home, channel, flag):
    done = home.create(home.spec(channel.url), flag)
    assert (4, "error: there is no lock") == (done.returncode, done.stderr.splitlines()[0])
    assert [] == home.left()


def test_a_changed_spec_is_locked_anew_unless_that_is_forbidden(home, channel):
    home.create(home.spec(channel.url))
    spec = home.spec(channel.url, variables={"A": "1"})
    stale = home.create(spec, "--locked")
    assert (4, "error: the spec has changed since the lock was made") == (
        stale.returncode,
        stale.stderr.splitlines()[0],
    )
    frozen = envelope(home.create(spec, "--frozen", "--json"))
    assert frozen["data"]["changed"] is True
    assert "A" not in spec.with_name("demo.lock.yaml").read_text().split()
    document = envelope(home.create(spec, "--json"))
    assert document["data"]["changed"] is True
    assert "1\n" == call("run", "-n", "demo", "sh", "-c", "echo $A", **home.variables).stdout
    assert [".demo.envforge-lock", ".demo.envforge-previous", "demo"] == home.left()


def test_a_drifted_environment_is_put_right(home, channel):
    spec = home.spec(channel.url)
    home.create(spec)
    next((home.envs / "demo/conda-meta").glob("numpy-*.json")).unlink()
    status = envelope(call("status", "demo", "--json", **home.variables))
    assert (4, "drifted") == (status["exit"], status["data"]["state"])
    assert status["data"]["missing"][0].startswith("numpy")
    home.create(spec)
    assert "unverified" == envelope(call("status", "demo", "--json", **home.variables))["data"]["state"]


def test_a_dry_run_writes_nothing(home, channel):
    spec = home.spec(channel.url)
    document = envelope(home.create(spec, "--dry-run", "--json"))
    assert (0, False, None) == (document["exit"], document["data"]["changed"], document["data"]["verify"])
    assert document["data"]["plan"]["choice"]["torch"] == "2.9.1"
    assert document["data"]["plan"]["download_bytes"] is not None
    assert (["demo.yaml"], []) == ([path.name for path in spec.parent.iterdir()], home.left())


def test_what_nothing_can_serve_is_a_conflict_with_ways_out(home, channel):
    document = envelope(home.create(home.spec(channel.url, torch=">=99"), "--json"))
    assert (1, None) == (document["exit"], document["data"]["plan"]["choice"])
    assert document["data"]["plan"]["conflict"]["ways_out"]
    assert [] == home.left()


def test_a_prefix_that_is_not_ours_is_refused_with_its_place(home, channel):
    (home.envs / "demo").mkdir(parents=True)
    (home.envs / "demo/thesis.tex").write_text("precious")
    document = envelope(home.create(home.spec(channel.url), "--json"))
    assert (2, [str(home.envs / "demo")]) == (document["exit"], document["errors"][0]["where"])
    assert (["demo"], "precious") == (home.left(), (home.envs / "demo/thesis.tex").read_text())


@pytest.mark.parametrize("prefix", ["relative", "with blanks", "größe-環境"])
def test_any_path_can_be_the_prefix(home, channel, prefix):
    spec = home.spec(channel.url)
    done = call("create", spec, "-p", prefix, "--json", "--no-progress", cwd=home.root, **home.variables)
    assert str(home.root / prefix) == envelope(done)["data"]["prefix"]
    script = "import sys; print(sys.prefix)"
    inside = call("run", "-p", home.root / prefix, "python", "-c", script, **home.variables)
    assert f"{home.root / prefix}\n" == inside.stdout
    assert [str(home.root / prefix)] == [each["prefix"] for each in home.listed()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist"),
        ("", "the file is empty"),
        ("name: x\n\ttorch: 2\n", "YAML"),
        ("nmae: x\n", "nmae"),
        ("python: 3.10\n", "3.1"),
        ("torch: '>=>2'\n", ">=>2"),
    ],
)
def test_a_bad_spec_is_one_clear_error_with_its_place(home, text, message):
    spec = home.root / "bad.yaml"
    if text is not None:
        spec.write_text(text)
    document = envelope(home.create(spec, "--json"))
    (error,) = document["errors"]
    assert (2, True) == (document["exit"], message in error["message"])
    assert error["where"][0].startswith(str(spec))


def test_an_unknown_package_is_named(home, channel):
    document = envelope(home.create(home.spec(channel.url, conda=["no-such-package"]), "--json"))
    assert 1 == document["exit"]
    assert "no-such-package" in json.dumps(document["errors"])
    assert [] == home.left()


def test_what_is_worth_knowing_of_a_new_choice_is_said_once(home, channel):
    spec = home.spec(channel.url, sources=[channel.url, "http://127.0.0.1:9/channel"])
    locked = call("lock", spec, "--no-progress", **home.variables, COLUMNS="300").stdout
    assert "warning: `http://127.0.0.1:9/channel` could not be asked" in locked
    assert "warning:" not in home.create(spec, COLUMNS="300").stdout
    spec.write_text(spec.read_text() + "gpu: preferred\n")
    assert "warning: `http://127.0.0.1:9/channel` could not be asked" in home.create(spec, COLUMNS="300").stdout


def test_a_spec_whose_every_source_is_silent_is_no_conflict(home):
    silent = "http://127.0.0.1:9/channel"
    document = envelope(home.create(home.spec(silent), "--json"))
    assert (5, ["unreachable"]) == (document["exit"], [each["code"] for each in document["errors"]])
    assert silent in document["errors"][0]["where"][0]


def test_a_complaint_that_does_not_change_is_told_once(home, channel):
    done = home.create(home.spec(channel.url, torch=None, conda=["no-such-package"]))
    assert 1 == done.stderr.count("no-such-package")


def test_a_lock_can_be_checked_and_written_alone(home, channel):
    spec = home.spec(channel.url)
    assert 4 == call("lock", spec, "--locked", **home.variables).returncode
    first = envelope(call("lock", spec, "--json", "--no-progress", **home.variables))
    again = envelope(call("lock", spec, "--json", "--no-progress", **home.variables))
    assert (True, False) == (first["data"]["changed"], again["data"]["changed"])
    assert [("here", True)] == [(each["target"], each["packages"] > 3) for each in first["data"]["sections"]]
    assert 0 == call("lock", spec, "--locked", **home.variables).returncode


@pytest.mark.parametrize("broken", [b"", b"\xff\x00 no text", b"schema: envforge.lock/1\n", None])
def test_a_lock_that_cannot_be_read_is_left_alone_until_it_is_written_anew(broken, home, channel):
    spec = home.spec(channel.url)
    call("lock", spec, "--no-progress", **home.variables)
    path = spec.with_name("demo.lock.yaml")
    whole = path.read_bytes()
    cut = whole[: len(whole) * 2 // 3] if broken is None else broken
    path.write_bytes(cut)
    exported = ("export", spec, "--format", "pixi-lock")
    for words in (("create", spec), ("create", spec, "--frozen"), ("lock", spec, "--locked"), exported):
        refused = envelope(call(*words, "--json", **home.variables))
        place = refused["errors"][0]["where"][0]
        assert (2, True) == (refused["exit"], place.startswith(f"{path}:")), refused
        assert ([], cut) == (home.left(), path.read_bytes())
    assert envelope(call("lock", spec, "--json", "--no-progress", **home.variables))["data"]["changed"]
    assert whole == path.read_bytes()


def test_a_frozen_lock_runs_no_link_script_without_the_leave_of_the_spec(home, channel):
    spec = home.spec(channel.url)
    call("lock", spec, "--no-progress", **home.variables)
    path = spec.with_name("demo.lock.yaml")
    forge_package(path, "numpy", lambda each: replace(each, link_scripts=True))
    for word in ("--frozen", "--locked"):
        refused = envelope(home.create(spec, word, "--json"))
        said = "the lock lets the link script of `numpy` run, and the spec does not"
        assert (4, said) == (refused["exit"], refused["errors"][0]["message"])
    assert [] == home.left()


def test_every_target_has_a_section(home, channel):
    targets = {
        "cluster": {"driver": "580", "gpus": ["NVIDIA A100-SXM4-80GB"], "glibc": "2.36"},
        "desk": {"gpus": [], "glibc": "2.36"},
    }
    spec = home.spec(channel.url, targets=targets)
    sections = envelope(call("lock", spec, "--json", "--no-progress", **home.variables))["data"]["sections"]
    builds = {each["target"]: each["plan"]["choice"]["cuda"] for each in sections}
    assert {"cluster", "desk"} == set(builds)
    assert (None, True) == (builds["desk"], builds["cluster"] is not None)


def test_machines_of_different_kinds_share_a_lock_without_taking_turns(home, channel):
    spec = home.spec(channel.url)
    profile = '{driver: "580", gpus: ["NVIDIA A100-SXM4-80GB"], glibc: "2.36"}'
    other = envelope(home.create(spec, "-n", "a100", "--machine", profile, "--json"))
    assert (0, None, "12.9") == (other["exit"], other["data"]["verify"], other["data"]["plan"]["choice"]["cuda"])
    here = envelope(home.create(spec, "--json"))
    assert (True, None) == (here["data"]["changed"], here["data"]["plan"]["choice"]["cuda"])
    lock = spec.with_name("demo.lock.yaml").read_text()
    for words in (("-n", "a100", "--machine", profile), ()):
        assert envelope(home.create(spec, *words, "--locked", "--json"))["data"]["plan"]["choice"]["torch"] == "2.9.1"
    assert lock == spec.with_name("demo.lock.yaml").read_text()
    assert ["- target: here", "- target: here-cpu"] == [line for line in lock.splitlines() if "target:" in line]
