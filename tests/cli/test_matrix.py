"""`envforge matrix`: jobs from targets, and cache keys from what is locked."""

import json
import re
from dataclasses import replace

import pytest
import yaml

from cli.calling import envelope
from cli.calling import envforge as call
from cli.forging import forge

TARGETS = {
    "cluster": {"driver": "580", "gpus": ["NVIDIA H100 80GB HBM3"], "glibc": "2.36"},
    "old": {"driver": "580", "gpus": ["NVIDIA A100-SXM4-80GB"], "glibc": "2.36"},
}


@pytest.fixture
def spec(home, channel):
    return home.spec(channel.url, torch=None, targets=TARGETS)


def matrix(home, spec, *words, **environ):
    return call("matrix", spec, *words, **{**home.variables, **environ})


def jobs(home, spec, *words):
    return {
        each["target"]: each for each in json.loads(matrix(home, spec, "--format", "github", *words).stdout)["include"]
    }


def lock(home, spec, *words):
    assert 0 == call("lock", spec, "--no-progress", *words, **home.variables).returncode


def test_every_target_is_a_job_with_what_it_gets(home, spec):
    lock(home, spec)
    sections = envelope(call("export", spec, "--target", "old", "--format", "explicit", "--json", **home.variables))
    found = jobs(home, spec)
    assert ["cluster", "old"] == list(found)
    assert sections["data"]["target"] == found["old"]["target"]
    assert {"linux-64"} == {each["subdir"] for each in found.values()}
    assert {True} == {each["gpu"] for each in found.values()}
    assert ["cluster", "old"] == [each["runner"] for each in found.values()]


def test_a_key_changes_with_what_is_locked_for_its_target_alone(home, channel, spec):
    lock(home, spec)
    before = jobs(home, spec)
    assert all(re.fullmatch(r"envforge-linux-64-[a-z]+-[0-9a-f]{16}", each["key"]) for each in before.values())

    def changed(section):
        first, *others = section.artefacts
        other = replace(first, sha256=first.sha256[::-1])
        return section if section.target == "cluster" else replace(section, artefacts=(other, *others))

    forge(spec.with_name("demo.lock.yaml"), changed)
    after = jobs(home, spec)
    assert (True, False) == (before["cluster"]["key"] == after["cluster"]["key"], before["old"] == after["old"])


def test_people_read_a_table(home, spec):
    lock(home, spec)
    head, *rows = matrix(home, spec, COLUMNS="200").stdout.splitlines()
    assert "target   torch   cuda  python  runner   cache key" == head
    assert [[name, key["runner"], key["key"]] for name, key in jobs(home, spec).items()] == [
        [row.split()[at] for at in (0, 4, 5)] for row in rows
    ]


def test_what_is_not_locked_is_decided_and_has_no_key(home, spec):
    done = matrix(home, spec, "--format", "github")
    assert {None} == {each["key"] for each in json.loads(done.stdout)["include"]}
    assert "not locked, so without a cache key: `cluster`, `old`" in done.stderr.replace("\n ", "")


def test_one_key_alone_is_for_scripts(home, spec):
    lock(home, spec)
    assert f"{jobs(home, spec)['old']['key']}\n" == matrix(home, spec, "--target", "old", "--format", "key").stdout
    assert 2 == matrix(home, spec, "--format", "key").returncode


def test_a_key_of_what_is_not_locked_is_refused(home, spec):
    done = matrix(home, spec, "--target", "old", "--format", "key")
    assert (4, "") == (done.returncode, done.stdout)
    assert "error: nothing that fits is locked, so there is no cache key" in done.stderr.splitlines()


def test_gitlab_gets_templates_to_extend(home, spec):
    document = yaml.safe_load(matrix(home, spec, "--format", "gitlab", "--runner", "old=dgx").stdout)
    prove = document[".envforge-prove"]["parallel"]["matrix"]
    assert [("cluster", "cluster"), ("old", "dgx")] == [(each["ENVFORGE_TARGET"], each["RUNNER"]) for each in prove]
    assert {"ENVFORGE_SPEC", "ENVFORGE_TARGET", "CACHE_KEY"} == set(document[".envforge-make"]["parallel"]["matrix"][0])


def test_a_spec_without_targets_is_one_job_for_this_machine(home, channel):
    spec = home.spec(channel.url, cuda="none", gpu="none")
    lock(home, spec)
    (job,) = json.loads(matrix(home, spec, "--format", "github").stdout)["include"]
    assert (None, False, None) == (job["target"], job["gpu"], job["runner"])
    assert {"include": []} == json.loads(matrix(home, spec, "--gpu", "--format", "github").stdout)


def test_a_label_for_no_target_is_refused(home, spec):
    done = matrix(home, spec, "--runner", "cluter=dgx")
    assert 2 == done.returncode
    assert "hint: its targets are `cluster`, `old`" in done.stderr.splitlines()


def test_a_target_that_nothing_serves_is_told_and_there_is_no_matrix(home, channel):
    spec = home.spec(channel.url, torch=">=99", targets=TARGETS)
    document = envelope(matrix(home, spec, "--json"))
    assert (1, None, 2) == (document["exit"], document["data"]["include"], len(document["data"]["refused"]))
