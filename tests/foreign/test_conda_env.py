"""environment.yml."""

import pytest

from envforge.errors import SpecError
from envforge.plan import OLD_CHANNEL
from envforge.spec import parse_spec, write_spec

OLD = """\
name: ldm
channels: [pytorch, defaults]
dependencies:
  - python=3.8.5
  - pip=20.3
  - cudatoolkit=11.3
  - pytorch=1.12.1
  - torchvision=0.13.1
  - numpy=1.23.1
  - pip:
    - einops==0.3.0
    - -e git+https://github.com/CompVis/taming-transformers.git@master#egg=taming-transformers
variables: {OMP_NUM_THREADS: 4}
"""


def env(*packages: str, channels: str = "[conda-forge]") -> str:
    return f"channels: {channels}\ndependencies:\n" + "".join(f"  - {each}\n" for each in packages)


def test_an_old_environment_is_carried_whole(imported):
    spec = imported(OLD, "environment.yml").spec
    assert (spec.name, str(spec.python), str(spec.torch), str(spec.cuda)) == ("ldm", "==3.8.*", "==1.12.1", "==11.3.*")
    assert (spec.sources, spec.channels, spec.companions) == ((OLD_CHANNEL,), ("conda-forge",), ("torchvision",))
    assert (spec.conda, spec.wheels) == (("numpy=1.23.1",), ("einops==0.3.0",))
    assert spec.variables == (("OMP_NUM_THREADS", "4"),)


def test_what_is_imported_reads_back_as_the_same_spec(imported):
    spec = imported(OLD, "environment.yml").spec
    assert parse_spec(write_spec(spec), "environment.yml") == spec


def test_what_is_left_out_is_said_with_its_line(imported):
    said = {each.where: each.text for each in imported(OLD, "environment.yml").left_out}
    assert "no hash to lock" in said["environment.yml:12"]
    assert said["environment.yml:4"] == "of Python `==3.8.5` only the minor 3.8 is carried"


@pytest.mark.parametrize(
    ("packages", "channels", "cuda", "gpu", "sources"),
    [
        (["pytorch=2.1", "pytorch-cuda=12.1"], "[pytorch, nvidia]", "==12.1.*", "required", (OLD_CHANNEL,)),
        (["pytorch==2.1", "pytorch-cuda ==11.8"], "[conda-forge, pytorch]", "==11.8", "required", (OLD_CHANNEL,)),
        (["pytorch", "cpuonly"], "[pytorch]", "none", None, (OLD_CHANNEL,)),
        (["pytorch-cpu"], "[conda-forge]", "none", None, ("conda-forge",)),
        (["pytorch-gpu >=2.8"], "[conda-forge]", "auto", "required", ("conda-forge",)),
        (["pytorch=2.1=*cuda11*"], "[conda-forge]", "==11.*", "required", ("conda-forge",)),
        (["pytorch=2.5.1=*cuda*"], "[conda-forge]", "auto", "required", ("conda-forge",)),
        (["pytorch=2.5.1=*cpu*"], "[conda-forge]", "none", None, ("conda-forge",)),
        (["pytorch=1.11=py3.9_cuda11.3_cudnn8*"], "[pytorch]", "==11.3.*", "required", (OLD_CHANNEL,)),
        (["pytorch::pytorch"], "[conda-forge]", "auto", None, (OLD_CHANNEL,)),
        (
            ["pytorch", "cuda-version=12.9"],
            "[https://prefix.dev/conda-forge]",
            "==12.9.*",
            "required",
            ("conda-forge",),
        ),
        (["pytorch=2.4.1", "cuda-version=12.4"], "[conda-forge]", "<=12.4,>=12", "required", ("conda-forge",)),
        (["pytorch"], "[defaults]", "auto", None, ("conda-forge",)),
        (["'pytorch[version=2.1.2, build=*cuda118*]'"], "[conda-forge]", "==11.8.*", "required", ("conda-forge",)),
    ],
)
def test_which_cuda_is_meant_is_understood(imported, packages, channels, cuda, gpu, sources):
    spec = imported(env(*packages, channels=channels), "environment.yml").spec
    assert (str(spec.cuda), spec.gpu, spec.sources) == (cuda, gpu, sources)


def test_a_compiler_means_the_toolkit(imported):
    assert imported(env("pytorch-gpu", "cuda-nvcc=12.9"), "environment.yml").spec.toolkit


def test_a_companion_alone_says_which_torch_is_meant(imported):
    assert str(imported(env("pytorch", "torchvision=0.15.2"), "environment.yml").spec.torch) == "==2.0.1"


def test_pips_torch_has_the_last_word(imported):
    text = env(
        "python=3.11", "pip:\n    - --extra-index-url https://download.pytorch.org/whl/cu121\n    - torch==2.4.0"
    )
    spec = imported(text, "environment.yml").spec
    assert (str(spec.torch), str(spec.cuda), spec.sources) == ("==2.4.0", "==12.1.*", ("pytorch",))


def test_a_contradiction_about_cuda_is_said(imported):
    found = imported(env("pytorch", "pytorch-cuda=11.8", "cuda-version=12.0"), "environment.yml")
    assert str(found.spec.cuda) == "==11.8.*"
    assert any("the latter is taken" in each.text for each in found.left_out)


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("name: x\n", "environment.yml:1:1", "has `dependencies`"),
        ("dependencies: numpy\n", "environment.yml:1:15", "a list was expected"),
        ("dependencies:\n\t- numpy\n", "environment.yml:2:1", "not YAML"),
        ("dependencies:\n- numpy\n- '??'\n", "environment.yml:3:3", "is not a match spec"),
        ("dependencies:\n- pipx:\n  - a\n", "environment.yml:2:3", "is not a kind of packages"),
        ("dependencies:\n- pytorch=2.1|2.3\n", "environment.yml:2", "has no form in PEP 440"),
        ("dependencies:\n- pip:\n  - numpy==^1\n", "environment.yml:3", "is not a requirement"),
        ("dependencies:\n- pytorch=1.2\n- pytorch-gpu=1.3\n", "environment.yml:2", "allows no torch at all"),
        ("", "environment.yml", "empty"),
    ],
)
def test_a_bad_file_is_refused_at_its_place(imported, text, where, said):
    with pytest.raises(SpecError, match=said) as caught:
        imported(text, "environment.yml")
    assert caught.value.where[0] == where
