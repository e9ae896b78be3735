"""Recordings: they replay, and they do not tell who or where."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envforge.detect import assemble, private_words, read_machine, record, redact, take_readings, write_recording
from envforge.facts import load_facts
from envforge.model import Reading

RECORDINGS = sorted((Path(__file__).parents[1] / "machines/recordings").glob("*.yaml"))
FACTS = load_facts()
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcde", min_size=1), inner, max_size=3),
    max_leaves=8,
)
READINGS = st.lists(
    st.builds(
        Reading,
        source=st.sampled_from(["platform", "nvml", "pci", "env", "kernel", "dmesg", "cuda"]),
        value=VALUES,
        error=st.none() | st.just("masked"),
    ),
    unique_by=lambda reading: reading.source,
).map(tuple)


def swept(value: Any, source: str = "dmesg", private: tuple[str, ...] = ()) -> Any:
    return redact([Reading(source=source, value=value)], private)[0].value


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_replays(path: Path):
    machine = read_machine(path.read_text(), str(path), FACTS)
    again = read_machine(write_recording(machine.readings, ()), str(path), FACTS)
    assert again == assemble(redact(machine.readings), path.stem)


def test_this_machine_replays():
    readings = take_readings({"PATH": "/usr/bin", "CUDA_VISIBLE_DEVICES": "0"})
    private = private_words({"USER": "alice", "HOME": "/home/alice"})
    replayed = read_machine(write_recording(readings, private), "here.yaml", FACTS)
    assert replayed == assemble(redact(readings, private), "here")


@pytest.mark.law
@given(READINGS)
def test_any_recording_replays(readings: tuple[Reading, ...]):
    text = write_recording(readings, ())
    expected = {each.source: (each.value, each.error) for each in redact(readings)}
    got = {each.source: (each.value, each.error) for each in read_machine(text, "m.yaml", FACTS).readings}
    assert expected == got


@pytest.mark.law
@given(READINGS)
def test_redacting_twice_is_redacting_once(readings: tuple[Reading, ...]):
    once = redact(readings, ("alice",))
    assert redact(once, ("alice",)) == once


GONE = {
    "/home/alice/miniconda3/envs/ml": "/home/user/miniconda3/envs/ml",
    "/Users/Alice/x": "/Users/user/x",
    "C:\\Users\\Alice\\x": "C:\\Users\\user\\x",
    "https://alice:hunter2@proxy.corp.example:8080/": "https://proxy.corp.example:8080/",
    "bond0 192.168.1.161": "bond0 <address>",
    "link/ether 52:54:00:12:34:56": "link/ether <address>",
    "inet6 fe80::5054:ff:fe12:3456": "inet6 <address>",
    "listening on 2001:db8:0:0:0:0:0:1": "listening on <address>",
    "mail to alice@corp.example": "mail to <email>",
    "token=abcdef123": "token=<redacted>",
    "Authorization: Bearer abcdef123": "Authorization: <redacted>",
    "with hf_abcdefghijklmnopqrstu": "with <redacted>",
    "pushed by ghp_abcdefghijklmnopqrstu": "pushed by <redacted>",
    "Serial Number: 1320922012345": "Serial Number: <redacted>",
    "root=UUID=3b1f2c44-1111-2222-3333-444455556666": "root=UUID=00000000-0000-0000-0000-000000000001",
    "alice on deepthought runs": "name on name runs",
}


@pytest.mark.parametrize("text", GONE)
def test_what_tells_who_and_where_is_taken_out(text: str):
    assert GONE[text] == swept(text, private=("alice", "deepthought"))


KEPT = [
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05",
    "0000:01:00.0",
    "NVRM: Xid (PCI:0000:0b:00): 79, GPU has fallen off the bus.",
    "libcudnn.so.9.20.0.48",
    "nvidia-cudnn-cu13==9.20.0.48",
    "NVIDIA A100-SXM4-80GB",
    "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "RuntimeError: CUDA error: no kernel image is available for execution on the device",
    "torchvision::nms",
    "user-space driver",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_the_doctor_needs_stays(text: str):
    assert swept(text) == text


def test_a_variable_still_names_its_device_by_its_new_number():
    uuid = "GPU-3b1f2c44-1111-2222-3333-444455556666"
    nvml, env = redact(
        [
            Reading(source="nvml", value={"devices": [{"uuid": uuid}]}),
            Reading(source="env", value={"CUDA_VISIBLE_DEVICES": uuid}),
        ]
    )
    assert nvml.value["devices"][0]["uuid"] == env.value["CUDA_VISIBLE_DEVICES"]
    assert env.value["CUDA_VISIBLE_DEVICES"] == "GPU-00000000-0000-0000-0000-000000000001"


def test_hosts_accounts_and_mirrors_of_variables_are_taken_out():
    env = {
        "MASTER_ADDR": "node17.corp.example",
        "SLURM_JOB_NODELIST": "node[17-18]",
        "SLURM_JOB_ACCOUNT": "secret-project",
        "PIP_INDEX_URL": "https://mirror.corp.example/simple",
        "SLURM_JOB_ID": "991",
    }
    assert swept(env, "env") == {
        "MASTER_ADDR": "<redacted>",
        "SLURM_JOB_NODELIST": "<redacted>",
        "SLURM_JOB_ACCOUNT": "<redacted>",
        "PIP_INDEX_URL": "https://host/simple",
        "SLURM_JOB_ID": "991",
    }


def test_groups_that_are_no_systems_own_lose_their_name():
    assert swept({"uid": 1000, "groups": ["video", "acme-research"]}, "user")["groups"] == ["video", "group"]


def test_versions_of_packages_are_not_taken_for_addresses():
    packages = {"packages": {"nvidia-curand-cu12": "10.3.5.147"}}
    assert swept(packages, "env_probe") == packages


def test_names_that_are_everybodys_are_not_private():
    assert "nvidia" not in private_words({"USER": "nvidia", "HOME": "/home/nvidia"})


def test_a_recording_says_what_could_not_be_read():
    readings = [
        Reading(source="pci", error="masked"),
        Reading(source="tegra"),
        Reading(source="nvml", value={}, error="hung"),
    ]
    assert record(readings) == {
        "schema": "envforge.machine/1",
        "tegra": None,
        "nvml": {},
        "errors": {"pci": "masked", "nvml": "hung"},
    }
