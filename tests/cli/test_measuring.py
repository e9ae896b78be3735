"""What verification measures of a build becomes a fact of this user, and only where it says something new."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from envforge.cli.measuring import measure
from envforge.facts import load_facts
from envforge.model import CheckResult, ComputeCapability, Dotted, Machine, SmokeReport
from envforge.provision import provision, register
from envforge.resolve.constraints.kernels import degree
from tiny import SITE, engines, lock, package, quiet, section

FACTS = load_facts()
BUILD = next(each for each in FACTS.builds("linux-64") if each.source == "pytorch" and each.variant == "cu128")
FLAGS = (*(code.sm for code in BUILD.sass or ()), *(f"compute_{c.major}{c.minor}" for c in BUILD.ptx or ()))
HERE = Machine(name="bench")
HOPPER, PASCAL = ComputeCapability(9, 0), ComputeCapability(6, 1)
NO_CODE = "torch-arch-too-old-for-gpu"


def report(flags=FLAGS, capability="9.0", kernels=("pass", None), **measured):
    seen = {"torch": f"{BUILD.torch}+cu128", "cuda": "12.8", "arch_list": list(flags), **measured}
    outcome, code = kernels
    return SmokeReport(
        python="3.11.7",
        torch=seen["torch"],
        cuda="12.8",
        machine="bench",
        results=(
            CheckResult(check="build_facts", device=None, outcome="pass", took_s=0.0, measured=seen),
            CheckResult(
                check="device_init",
                device="cuda:0",
                outcome="pass",
                took_s=0.0,
                measured={"name": "NVIDIA H200", "capability": capability},
            ),
            CheckResult(check="int_kernels", device="cuda:0", outcome=outcome, took_s=0.0, code=code),
        ),
    )


def test_what_agrees_with_the_facts_adds_nothing():
    assert BUILD == measure(BUILD, report(), HERE, FACTS)
    assert BUILD == measure(BUILD, report(reversed(FLAGS)), HERE, FACTS)


def test_arch_flags_and_cuda_that_differ_are_taken():
    found = measure(BUILD, report(["sm_90", "sm_90a", "compute_90"], cuda="12.9"), HERE, FACTS)
    assert ((HOPPER,), (HOPPER,), Dotted("12.9")) == (found.sass, found.ptx, found.cuda)


def test_a_kernel_that_ran_against_the_tables_outweighs_them():
    found = measure(BUILD, report(["sm_90"], capability="6.1"), HERE, FACTS)
    assert ((PASCAL,), (), 2) == (found.ran, found.failed, degree(found, PASCAL, False, FACTS))


def test_a_kernel_that_failed_against_the_tables_outweighs_them_until_one_runs():
    found = measure(BUILD, report(kernels=("fail", NO_CODE)), HERE, FACTS)
    assert ((), (HOPPER,), 0) == (found.ran, found.failed, degree(found, HOPPER, False, FACTS))
    assert () == measure(found, report(), HERE, FACTS).failed


@pytest.mark.parametrize(
    "seen",
    [
        report(kernels=("fail", "E_WRONG")),
        report(["sm_60"], torch="1.0.0"),
        report(["sm_60"], cuda=None),
        replace(report(), results=()),
    ],
    ids=["a wrong sum", "another release", "a CPU build", "nothing ran"],
)
def test_what_is_not_about_the_build_teaches_nothing(seen):
    assert BUILD == measure(BUILD, seen, HERE, FACTS)


@pytest.fixture
def home(tmp_path):
    folders = {"ENVS_DIR": "envs", "CACHE_DIR": "cache", "FACTS_DIR": "facts"}
    variables = {f"ENVFORGE_{key}": str(tmp_path / name) for key, name in folders.items()}
    return {**variables, "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def stub(tmp_path):
    """Make an environment whose torch is a few lines that claim some arch flags."""

    def make(flags, source="pytorch", body=""):
        part = section(package("python", "3.11.7"))
        part = replace(part, candidate=replace(part.candidate, build=replace(BUILD, source=source)))
        prefix = tmp_path / "envs/demo"
        made = provision(lock(part), part, prefix, engines=engines(), packages=tmp_path / "cache", emit=quiet)
        base = Path(os.path.realpath(sys.base_prefix)) / f"bin/python3.{sys.version_info.minor}"
        (prefix / "bin/python").unlink()
        (prefix / "bin/python").symlink_to(base)
        (prefix / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
        package_ = prefix / str(SITE).replace("3.11", f"3.{sys.version_info.minor}") / "torch"
        package_.mkdir(parents=True)
        (package_ / "__init__.py").write_text(
            f"__version__ = '{BUILD.torch}+cu128'\ntensor = device = None\n"
            "class version:\n    cuda, hip, git_version = '12.8', None, 'none'\n"
            f"class _C:\n    _cuda_getArchFlags = staticmethod(lambda: '{flags}')\n{body}\n"
        )
        register(tmp_path / "state/envforge/prefixes.json", made, tmp_path / "envs")
        return made

    return make


def overlay(home):
    folder = Path(home["ENVFORGE_FACTS_DIR"])
    return sorted(folder.glob("*.yaml")) if folder.exists() else []


def test_flags_that_differ_become_a_dated_fact_once_and_facts_show_it(stub, home):
    stub("sm_61 sm_90")
    first = call("verify", "demo", "--checks", "build_facts", **home, COLUMNS="500")
    assert f"measured: torch {BUILD.torch} (cu128) has machine code for 6.1 9.0, the facts said" in first.stderr
    (path,) = overlay(home)
    assert "confidence: measured" in path.read_text()
    again = call("verify", "demo", "--checks", "build_facts", **home)
    assert ("measured:" in again.stderr, [path]) == (False, overlay(home))
    words = ("facts", "--torch", f"=={BUILD.torch}", "--source", "pytorch")
    builds = envelope(call(*words, "--json", **home))["data"]["builds"]
    (mine,) = [each["build"] for each in builds if each["build"]["variant"] == "cu128"]
    assert (["6.1", "9.0"], "measured") == (mine["sass"], mine["confidence"])
    assert "(measured here)" in call(*words, **home, COLUMNS="300").stdout


def test_nothing_is_learned_from_a_report_that_could_not_tell(stub, home):
    stub("sm_61 sm_90", body="import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert 3 == call("verify", "demo", "--checks", "build_facts", **home).returncode
    assert [] == overlay(home)


def test_facts_do_not_speak_of_private_sources(stub, home):
    stub("sm_61", source="https://mirror.example/simple")
    call("verify", "demo", "--checks", "build_facts", **home)
    assert [] == overlay(home)
