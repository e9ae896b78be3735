"""`list`, `remove`, `rollback`, `clean`, `run` and `shell` on real environments of small engines."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from envforge.cli.asking import this_machine
from envforge.cli.proving import bench
from envforge.lock import write_lock
from envforge.model import ABSENT, CheckResult, Dotted, Driver, SmokeReport
from envforge.provision import provision, register, store_report
from envforge.provision.place import Place
from envforge.provision.stage import write_journal
from envforge.spec import parse_spec, spec_digest
from tiny import HERE, engines, lock, package, quiet, section

PASSED = SmokeReport(
    python=str(HERE.version),
    torch="2.13.0",
    cuda=None,
    machine="bench",
    when="2026-11-20T10:00:00+00:00",
    results=(CheckResult(check="import", device=None, outcome="pass", took_s=1.0),),
)


@pytest.fixture
def home(tmp_path):
    """The variables of a home directory of its own."""
    folders = {"ENVFORGE_ENVS_DIR": tmp_path / "envs", "ENVFORGE_CACHE_DIR": tmp_path / "cache"}
    return {name: str(path) for name, path in {**folders, "XDG_STATE_HOME": tmp_path / "state"}.items()}


@pytest.fixture
def make(tmp_path):
    def make(prefix="envs/demo", spec_origin="", extra=None, **changes):
        part = section(package("python", "3.11.7"), *([extra] if extra else []), **changes)
        where, tools = tmp_path / prefix, engines()
        made = provision(
            lock(part), part, where, engines=tools, packages=tmp_path / "cache", emit=quiet, spec_origin=spec_origin
        )
        register(tmp_path / "state/envforge/prefixes.json", made, tmp_path / "envs")
        return made

    return make


def test_no_environment_is_said(home):
    done = call("list", **home)
    assert (0, "There is no environment yet; `envforge create SPEC` makes one.\n") == (done.returncode, done.stdout)


def test_environments_are_listed_with_where_they_were_proven(make, home, tmp_path):
    store_report(make(), PASSED, "x")
    make("elsewhere")
    lines = call("list", **home, COLUMNS="300").stdout.splitlines()
    assert ["name", "torch", "cuda", "python", "proven", "on", "prefix"] == lines[0].split()
    assert ["demo", "2.13.0", "cpu", "3.11", "never", str(tmp_path / "elsewhere")] == lines[1].split()
    assert ["demo", "2.13.0", "cpu", "3.11", "bench", "(not", "here)", str(tmp_path / "envs/demo")] == lines[2].split()


def test_a_list_is_one_document_for_programs(make, home, tmp_path):
    store_report(make(), PASSED, "x")
    (each,) = envelope(call("list", "--json", **home))["data"]["environments"]
    proof = {"verdict": "pass", "machine": "bench", "when": PASSED.when, "devices": [], "driver": None, "here": False}
    assert proof == each["verified"]
    assert (str(tmp_path / "envs/demo"), "2.13.0", None) == (each["prefix"], each["torch"], each["cuda"])


@pytest.mark.parametrize(
    ("verdict", "on", "state", "said"),
    [
        ("pass", "here", "clean", "verified on Xeon, 2026-11-20 (quick)"),
        ("pass", "another driver", "unverified", "unverified here: verified on Xeon, 2026-11-20 (quick), and this"),
        ("fail", "here", "unverified", "failed on Xeon, 2026-11-20 (quick): `import`"),
        ("inconclusive", "here", "unverified", "could not tell on Xeon, 2026-11-20 (quick): `import`"),
    ],
)
def test_a_proof_holds_for_the_driver_and_the_cards_it_was_made_with(make, home, verdict, on, state, said):
    hardware = bench(replace(this_machine(), driver=ABSENT if on == "here" else Driver(version=Dotted("580.65.06"))))
    results = (replace(PASSED.results[0], outcome=verdict),)
    store_report(make(), replace(PASSED, results=results, devices=("Xeon",)), f"{hardware} quick")
    document = envelope(call("status", "demo", "--json", **home))
    assert (0, state, state == "clean") == (
        document["exit"],
        document["data"]["state"],
        document["data"]["verified"]["here"],
    )
    assert said in call("status", "demo", **home, COLUMNS="200").stdout
    listed = {
        "clean": "CPU ",
        "unverified": {"pass": "CPU (not here)", "fail": "failed"}.get(verdict, "could not tell"),
    }
    assert listed[state] in call("list", **home, COLUMNS="300").stdout


def test_a_card_is_named_without_its_maker_in_the_list(make, home):
    store_report(make(), replace(PASSED, devices=("NVIDIA H200",) * 2, driver="580.65.06"), "x")
    assert "2 × H200 (not here)" in call("list", **home, COLUMNS="300").stdout
    assert (
        "verified on 2 × NVIDIA H200, driver 580.65.06, 2026-11-20"
        in call("status", "demo", **home, COLUMNS="200").stdout
    )


def test_drift_is_told_by_package(make, home):
    folder = make(extra=package("numpy", "2.4.6")).prefix / "conda-meta"
    (folder / "numpy-2.4.6-0.json").rename(folder / "numpy-2.4.7-0.json")
    done = call("status", "demo", **home, COLUMNS="200")
    assert (4, True) == (done.returncode, "numpy 2.4.6 0 → 2.4.7 0" in done.stdout)


def test_a_newer_lock_is_told_by_package(make, home, tmp_path):
    spec = tmp_path / "demo.yaml"
    spec.write_text("name: demo\n")
    old = make(spec_origin=str(spec))
    parsed = parse_spec(spec.read_text(), str(spec))
    newer = section(package("python", "3.11.7"), package("numpy", "2.4.7"))
    fresh = replace(lock(newer), spec_digest=spec_digest(parsed))
    spec.with_name("demo.lock.yaml").write_text(write_lock(fresh))
    document = envelope(call("status", str(old.prefix), "--json", **home))
    assert (4, "stale") == (document["exit"], document["data"]["state"])
    assert [{"name": "numpy", "before": None, "after": "2.4.7 0"}] == document["data"]["changes"]
    assert "numpy 2.4.7 0 is added" in call("status", str(old.prefix), **home, COLUMNS="200").stdout


def test_a_program_runs_inside_and_its_exit_code_is_passed_on(make, home):
    make(variables=(("OMP_NUM_THREADS", "8"),))
    code = (
        "import os, sys; print(os.environ['CONDA_PREFIX'], os.environ['OMP_NUM_THREADS'], *sys.argv[1:]); sys.exit(7)"
    )
    done = call("run", "-n", "demo", "python", "-c", code, "--json", "-n", "x", **home)
    prefix = f"{home['ENVFORGE_ENVS_DIR']}/demo"
    assert (7, f"{prefix} 8 --json -n x\n") == (done.returncode, done.stdout)


def test_two_dashes_end_our_own_flags(make, home, tmp_path):
    make("with blanks")
    done = call("run", "-p", str(tmp_path / "with blanks"), "--", "sh", "-c", "echo $CONDA_DEFAULT_ENV", **home)
    assert (0, "demo\n") == (done.returncode, done.stdout)


def test_the_packages_own_scripts_are_sourced(make, home):
    scripts = make().prefix / "etc/conda/activate.d"
    scripts.mkdir(parents=True)
    (scripts / "cc.sh").write_text("export CC=gcc-13\n")
    done = call("run", "-n", "demo", "sh", "-c", "echo $CC; exit 3", **home)
    assert (3, "gcc-13\n") == (done.returncode, done.stdout)


def test_run_with_json_gives_one_document(make, home):
    make()
    done = call("run", "-n", "demo", "--json", "sh", "-c", "echo talk; exit 5", **home)
    assert (5, 5) == (done.returncode, envelope(done)["data"]["exit"])
    assert "talk\n" == done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "python"], "which environment is not said"),
        (["run", "-n", "nosuch", "python"], "there is no environment `nosuch`"),
        (["run", "-n", "demo", "no-such-program"], "`no-such-program` is neither in the environment nor on PATH"),
        (["shell"], "which environment is not said"),
        (["remove", "nosuch"], "there is no environment `nosuch`"),
        (["remove", "./nosuch"], "this is not an environment that envforge made"),
        (["rollback", "demo"], "there is no previous generation"),
    ],
)
def test_what_cannot_be_is_a_usage_error(make, home, words, message):
    make()
    done = call(*words, **home)
    assert (2, f"error: {message}") == (done.returncode, done.stderr.splitlines()[0])


@pytest.mark.parametrize("word", ["dmeo", "work/demo.yaml"])
def test_the_environment_that_was_meant_is_named(make, home, word):
    make()
    done = call("status", word, **home)
    assert (2, "hint: did you mean `demo`?") == (done.returncode, done.stderr.splitlines()[3])


def test_shell_prints_what_a_shell_evaluates(make, home, tmp_path):
    make()
    script = call("shell", "demo", "--print", **home).stdout
    inside = subprocess.run(["sh", "-ec", script + "command -v python"], capture_output=True, text=True, check=True)
    assert f"{tmp_path}/envs/demo/bin/python\n" == inside.stdout


def test_a_shell_starts_inside(make, home):
    make()
    call_ = [sys.executable, "-m", "envforge", "shell", "demo"]
    environ = {**home, "SHELL": "/bin/bash", "PATH": "/usr/bin:/bin", "HOME": "/nowhere"}
    done = subprocess.run(
        call_, input="echo $CONDA_PREFIX; exit 4\n", capture_output=True, text=True, env=environ, check=False
    )
    assert (4, f"{home['ENVFORGE_ENVS_DIR']}/demo\n") == (done.returncode, done.stdout)


def test_an_environment_is_removed_by_name_and_by_prefix(make, home, tmp_path):
    make()
    make("elsewhere")
    for words in (["demo"], ["-p", str(tmp_path / "elsewhere")]):
        assert 0 == call("remove", *words, "-y", **home).returncode
    assert [] == envelope(call("list", "--json", **home))["data"]["environments"]
    assert [] == list((tmp_path / "envs").iterdir())


def test_a_broken_environment_of_ours_is_removed_by_name(make, home, tmp_path):
    (make().prefix / "conda-meta/envforge.json").write_text("{")
    assert 0 == call("remove", "demo", **home).returncode
    assert [] == list((tmp_path / "envs").iterdir())


def test_files_that_no_package_brought_are_not_removed_unasked(make, home, tmp_path):
    (make().prefix / "notes.ipynb").write_text("mine")
    done = call("remove", "demo", **home, COLUMNS="200")
    assert (2, "error: files that no package brought would be lost: `notes.ipynb`") == (
        done.returncode,
        done.stderr.splitlines()[0],
    )
    assert 0 == call("remove", "demo", "-y", **home).returncode
    assert [] == list((tmp_path / "envs").iterdir())


def test_a_dry_run_removes_nothing(make, home):
    made = make()
    done = call("remove", "demo", "--dry-run", **home)
    assert (0, f"would remove `{made.prefix}`\n") == (done.returncode, done.stdout.replace("\n ", " "))
    assert made.prefix.exists()


def test_rollback_tells_what_is_there_now(make, home):
    old = make()
    make(variables=(("A", "1"),))
    document = envelope(call("rollback", "demo", "--json", **home))
    assert old.created == document["data"]["created"]


def test_clean_clears_leftovers_and_caches(make, home, tmp_path):
    made = make()
    stage = tmp_path / "envs/.demo.envforge-4711-1"
    stage.mkdir()
    write_journal(stage, Place.at(made.prefix), made.created)
    (tmp_path / "cache/pkgs").mkdir(parents=True)
    (tmp_path / "cache/pkgs/x").write_bytes(b"x" * 10)
    document = json.loads(call("clean", "--cache", "--json", **home).stdout)
    assert {"cleared": [str(stage)], "damaged": [], "freed_bytes": 10} == document["data"]
    assert made.prefix.exists()
