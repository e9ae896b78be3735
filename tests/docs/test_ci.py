"""The CI files of docs/ci: in the form that their systems ask for, and run as those would run them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from cli.calling import envforge as call
from cli.making import Home
from docs.pages import ROOT
from docs.runner import Runner, evaluate, plain_environ

CI = ROOT / "docs" / "ci"
SCHEMAS = {
    "action.yml": "github-actions",
    "workflow.yml": "github-workflows",
    "gitlab-ci.yml": "gitlab-ci",
    "gitlab-jobs.yml": "gitlab-ci",
}
A100 = {"a100": {"driver": "580", "gpus": ["NVIDIA A100-SXM4-80GB"], "glibc": "2.36"}}


@pytest.fixture
def home(tmp_path, tmp_path_factory):
    return Home(root=tmp_path, cache=tmp_path_factory.getbasetemp() / "ci-cache")


def machine(home, store, name):
    """A fresh runner: its own home and caches, envforge on PATH."""
    root = home.root / name
    own = {"ENVFORGE_CACHE_DIR": str(root / "packages"), "ENVFORGE_ENVS_DIR": str(root / "envs"), "HOME": str(root)}
    return Runner(root, store, plain_environ(**{**home.variables, **own, "PATH": path_of_tests()}))


def path_of_tests():
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def locked(home, channel, **keys):
    spec = home.spec(channel.url, **keys)
    assert 0 == call("lock", spec, "--no-progress", **home.variables).returncode
    return spec


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_every_file_has_the_form_that_its_system_asks_for(name, schema):
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(CI / name)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout


def test_shell_scripts_parse():
    assert 0 == subprocess.run(["bash", "-n", CI / "slurm.sh"], check=False).returncode


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("inputs.a == 'x' && steps.s.outputs.o != ''", "true"),
        ("inputs.a == 'y' || inputs.a", "x"),
        ("steps.gone.outputs.o", ""),
    ],
)
def test_expressions_are_evaluated_as_github_does(expression, expected):
    assert expected == evaluate(expression, {"inputs": {"a": "x"}, "steps": {"s": {"o": "1"}}})


@pytest.mark.slow
def test_the_action_makes_and_proves_what_this_runner_can_run(home, channel, tmp_path):
    if not channel.torch:
        pytest.skip("pip finds no CPU wheel of torch here")
    spec, runner = locked(home, channel, torch="2.13.*"), machine(home, tmp_path / "store", "first")
    runner.environ["ENVFORGE_CACHE_DIR"] = str(home.cache)
    words = {"version": "none", "file": str(spec), "junit": str(tmp_path / "junit.xml"), "cache": "false"}
    ran = runner.run(CI / "action.yml", **words)
    told = (ran.failed, ran.outputs["verdict"], ran.outputs["torch"], ran.outputs["cuda"], ran.left_out)
    assert (None, "pass", "2.13.0", "", ["restore", "save"]) == told, ran.logs
    assert Path(ran.outputs["environment-path"]).is_dir()
    assert "2.13.0" == json.loads(ran.outputs["decision-json"])["choice"]["torch"]
    assert ran.summary.startswith("### envforge verify: pass\n")
    assert "0" == ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures")


@pytest.mark.slow
def test_the_action_defers_what_needs_a_gpu_and_a_second_runner_takes_the_cache(home, channel, tmp_path):
    spec, store = locked(home, channel, targets=A100), tmp_path / "store"
    words = {"version": "none", "file": str(spec), "target": "a100", "cache_key": "v1-"}
    first = machine(home, store, "first").run(CI / "action.yml", **words)
    told = (first.failed, first.outputs["verdict"], first.outputs["cuda"], first.left_out)
    assert (None, "deferred", "12.9", []) == told, first.logs
    assert first.outputs["cache-key"].startswith("v1-envforge-linux-64-a100-")
    assert [first.outputs["cache-key"]] == [each.name for each in store.iterdir()]
    assert "::notice title=envforge%3A not verified yet::" in first.logs["prove"]
    assert "### envforge verify: deferred" in first.summary
    second = machine(home, store, "second").run(CI / "action.yml", **words, smoke="require", require="gpu,target")
    assert (["save"], "prove") == (second.left_out, second.failed)
    assert "target `a100` is NVIDIA A100-SXM4-80GB (8.0), and this machine has no GPU" in second.logs["prove"]


def test_the_action_refuses_a_lock_that_does_not_fit(home, channel, tmp_path):
    spec = locked(home, channel)
    home.spec(channel.url, variables={"A": "1"})
    ran = machine(home, tmp_path / "store", "first").run(CI / "action.yml", version="none", file=str(spec))
    assert (["restore"], "make", "") == (ran.left_out, ran.failed, ran.outputs["cache-key"])
    assert "the spec has changed since the lock was made" in ran.logs["make"]


def test_the_matrix_of_the_workflow_gives_the_action_its_inputs():
    workflow = yaml.safe_load((CI / "workflow.yml").read_text())
    inputs = yaml.safe_load((CI / "action.yml").read_text())["inputs"]
    steps = [each for job in workflow["jobs"].values() for each in job["steps"] if "envforge" in each.get("uses", "")]
    assert 2 == len(steps)
    assert all(set(each["with"]) <= set(inputs) for each in steps)
    fields = set(re.findall(r"matrix\.(\w+)", (CI / "workflow.yml").read_text())) - {"outputs"}
    assert fields <= {"spec", "target", "runner"}


def script(job: dict, home: Home, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a GitLab job's lines as its runner does, in one shell; envforge is installed already."""
    lines = [line for line in job["script"] if not line.startswith("pip ")]
    words = ["bash", "-eo", "pipefail", "-c", "\n".join(lines)]
    told = plain_environ(**{**home.variables, "PATH": path_of_tests(), **environ})
    return subprocess.run(words, cwd=folder, env=told, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.slow
def test_the_pipeline_for_gitlab_runs_from_matrix_to_proof(home, channel):
    spec = locked(home, channel, targets=A100)
    folder = spec.parent
    spec.rename(folder / "cluster.yaml")
    spec.with_name("demo.lock.yaml").rename(folder / "cluster.lock.yaml")
    (folder / "docs").mkdir()
    (folder / "docs" / "ci").symlink_to(CI)
    text = (folder / "cluster.yaml").read_text()
    (folder / "cluster.yaml").write_text("name: demo\n" + text)
    assert 0 == call("lock", "cluster.yaml", "--no-progress", cwd=folder, **home.variables).returncode
    first = script(yaml.safe_load((CI / "gitlab-ci.yml").read_text())["matrix"], home, folder)
    assert 0 == first.returncode, first.stderr
    child = yaml.safe_load((folder / "environments.yml").read_text())
    (row,) = child[".envforge-prove"]["parallel"]["matrix"]
    variables = {**row, "ENVFORGE_LOCKED": "true", "ENVFORGE_PREFIX": str(home.root / "made")}
    made = script(child["make"], home, folder, **variables)
    assert 0 == made.returncode, made.stderr
    assert ElementTree.parse(folder / "envforge.xml").getroot().get("skipped") == "1"
    proven = script(child["prove"], home, folder, **variables)
    assert (1, True) == (proven.returncode, "this machine has no GPU" in proven.stderr)


def test_the_job_for_slurm_fails_before_the_work_where_there_is_no_gpu(home, channel):
    spec = locked(home, channel, targets=A100)
    assert 0 == home.create(spec, "--target", "a100", "--locked", "--no-verify").returncode
    told = plain_environ(**home.variables, ENVIRONMENT="demo", PATH=path_of_tests())
    words = ["bash", str(CI / "slurm.sh")]
    done = subprocess.run(words, env=told, cwd=home.root, capture_output=True, text=True, check=False)
    assert (1, True) == (done.returncode, "this machine has no GPU" in done.stderr)
    assert "train.py" not in done.stderr
