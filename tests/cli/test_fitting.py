"""When a lock still fits."""

from dataclasses import replace

import pytest
from packaging.version import Version

from envforge.cli.fitting import at_hand, below_floor, find_lock, lock_path, misfit, pick_section
from envforge.errors import SpecError
from envforge.facts import load_facts
from envforge.lock import write_lock
from envforge.model import (
    ABSENT,
    Build,
    Candidate,
    ComputeCapability,
    Dotted,
    Driver,
    Floor,
    Gpu,
    Interpreter,
    Lock,
    Locked,
    Machine,
    Section,
)
from envforge.spec import parse_spec, spec_digest

CPU = Build(
    torch=Version("2.13.0"),
    variant="cpu",
    cuda=None,
    source="pypi",
    kind="wheel",
    subdir="linux-64",
    pythons=("3.12",),
    sass=(),
)
CUDA = replace(CPU, variant="cu126", cuda=Dotted("12.6"), sass=(ComputeCapability(9, 0),))
H100 = Gpu(index=0, name="NVIDIA H100 80GB HBM3", compute_capability=ComputeCapability(9, 0), memory_bytes=80 << 30)
GPU_HOST = Machine(
    name="h100",
    subdir="linux-64",
    driver=Driver(version=Dotted("580.65.06"), cuda_version=Dotted("13.0")),
    gpus=(H100,),
    glibc=Dotted("2.36"),
)
CPU_HOST = Machine(name="desk", subdir="linux-64", driver=ABSENT, gpus=(), glibc=Dotted("2.36"))
PYTHON = Locked(
    name="python",
    version="3.12.3",
    kind="conda",
    url="https://conda.anaconda.org/conda-forge/linux-64/python-3.12.3-h1_0.conda",
    sha256="ab" * 32,
    build="h1_0",
    subdir="linux-64",
)
TORCH = Locked(
    name="torch",
    version="2.13.0",
    kind="wheel",
    url="https://files.example.org/torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    sha256="cd" * 32,
)
SPEC = parse_spec("name: vision\n", "vision.yaml")


def section(build: Build, target: str = "here", **floor) -> Section:
    return Section(
        target=target,
        floor=Floor(subdir="linux-64", **floor),
        candidate=Candidate(python="3.12", build=build),
        artefacts=(PYTHON, TORCH),
    )


def locked(*sections: Section) -> Lock:
    return Lock(name="vision", spec_digest=spec_digest(SPEC), facts_digest="sha256:0", sections=sections)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("vision.yaml", "vision.lock.yaml"), ("a.b.yml", "a.b.lock.yaml"), ("spec", "spec.lock.yaml")],
)
def test_the_lock_stands_beside_the_spec(tmp_path, name, expected):
    assert tmp_path / expected == lock_path(tmp_path / name)


def test_a_lock_of_the_same_spec_fits_where_its_build_serves():
    facts = load_facts()
    assert misfit(locked(section(CUDA)), section(CUDA), SPEC, GPU_HOST, facts) is None
    assert misfit(locked(section(CPU)), section(CPU), SPEC, CPU_HOST, facts) is None


def test_a_changed_spec_is_told():
    other = parse_spec("name: vision\ntorch: '>=2.8'\n", "vision.yaml")
    assert "the spec has changed since the lock was made" == misfit(
        locked(), section(CPU), other, CPU_HOST, load_facts()
    )


EVIL = "https://conda.anaconda.org/evil/linux-64/python-3.12.3-h1_0.conda"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"artefacts": (PYTHON,)}, "what is locked would not run on h100: one torch was to be locked"),
        ({"artefacts": (PYTHON, replace(TORCH, version="2.4.0"))}, "torch 2.13.0 cu126 was chosen, the engine gave"),
        ({"artefacts": (replace(PYTHON, link_scripts=True), TORCH)}, "the lock lets the link script of `python` run"),
        (
            {"artefacts": (replace(PYTHON, url=EVIL), TORCH)},
            f"takes `python` from `{EVIL}`, and the spec names no such",
        ),
        ({"variables": (("LD_PRELOAD", "/tmp/x.so"),)}, "the lock sets other variables than the spec"),
    ],
)
def test_what_the_spec_never_asked_for_does_not_come_in_by_its_lock(change, says):
    facts, edited = load_facts(), replace(section(CUDA), **change)
    assert says in misfit(locked(edited), edited, SPEC, GPU_HOST, facts)


def test_a_cpu_build_is_not_used_silently_where_there_is_a_gpu():
    assert "h100" in misfit(locked(section(CPU)), section(CPU), SPEC, GPU_HOST, load_facts())


def test_the_name_of_an_environment_does_not_make_a_lock_stale():
    assert misfit(locked(), section(CPU), replace(SPEC, name="other"), CPU_HOST, load_facts()) is None


@pytest.mark.parametrize(
    ("floor", "machine", "expected"),
    [
        ({"driver": Dotted("525")}, CPU_HOST, "the lock needs driver 525 or newer on desk, and there is none"),
        ({"driver": Dotted("590")}, GPU_HOST, "the lock needs driver 590 or newer on h100, and it has 580.65.06"),
        ({"glibc": Dotted("2.40")}, GPU_HOST, "the lock needs glibc 2.40 or newer on h100, and it has 2.36"),
        ({"glibc": Dotted("2.40")}, replace(CPU_HOST, glibc=None), None),
        ({}, replace(CPU_HOST, subdir="linux-aarch64"), "the lock is for linux-64, and desk is linux-aarch64"),
        ({"driver": Dotted("525"), "glibc": Dotted("2.28")}, GPU_HOST, None),
        ({"driver": Dotted("580.65.06")}, replace(GPU_HOST, driver=Driver(version=Dotted("580"))), None),
        (
            {"driver": Dotted("580.65.06")},
            replace(GPU_HOST, driver=Driver(version=Dotted("575"))),
            "the lock needs driver 580.65.06 or newer on h100, and it has 575",
        ),
    ],
)
def test_what_a_machine_lacks_is_told_and_unknown_is_no_lack(floor, machine, expected):
    assert expected == below_floor(section(CPU, **floor).floor, machine)


def test_the_section_whose_floor_is_reached_is_used():
    new, old = section(CUDA, "new", driver=Dotted("590")), section(CUDA, "old", driver=Dotted("525"))
    assert old == pick_section(locked(new, old), None, GPU_HOST)
    assert new == pick_section(locked(new, old), "new", GPU_HOST)
    assert pick_section(locked(new, old), "other", GPU_HOST) is None
    assert pick_section(locked(), None, GPU_HOST) is None


def test_a_lock_comes_back_as_it_was_written(tmp_path):
    assert find_lock(tmp_path / "vision.yaml") is None
    (tmp_path / "vision.lock.yaml").write_text(write_lock(locked(section(CUDA))))
    assert locked(section(CUDA)) == find_lock(tmp_path / "vision.yaml")


@pytest.mark.parametrize("text", ["", "{", "name: x\n", "schema: other/1\n"])
def test_a_broken_lock_is_an_error_with_its_place(tmp_path, text):
    (tmp_path / "vision.lock.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        find_lock(tmp_path / "vision.yaml")
    assert caught.value.where[0].startswith(str(tmp_path / "vision.lock.yaml"))


def test_a_python_at_hand_stands_in_for_one_of_the_same_minor(tmp_path):
    (tmp_path / "python").touch()
    here, gone = (Interpreter(path=str(tmp_path / name), version=Dotted("3.12.4")) for name in ("python", "gone"))
    same, near = (Interpreter(path=f"/{text}", version=Dotted(text)) for text in ("3.12.4", "3.12.9"))
    host = replace(CPU_HOST, interpreters=(Interpreter(path="/old", version=Dotted("3.11.2")), near, same))
    assert (here, same) == (at_hand(here, host), at_hand(gone, host))
    assert near == at_hand(gone, replace(host, interpreters=(near,)))
    lonely = replace(CPU_HOST, interpreters=())
    told = misfit(locked(), replace(section(CPU), interpreter=gone), SPEC, lonely, load_facts())
    assert "the lock stands on Python 3.12.4, and none of that minor is at hand" == told


def test_a_source_that_the_spec_does_not_name_does_not_make_a_lock_stale():
    """Torch may come from a find-links folder of pip's own configuration."""
    build = replace(CPU, source="/srv/wheels")
    assert misfit(locked(section(build)), section(build), SPEC, CPU_HOST, load_facts()) is None
