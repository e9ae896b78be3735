"""pixi.toml, and pixi's tables in pyproject.toml."""

import pytest

from envforge.errors import SpecError, UsageError
from envforge.plan import OLD_CHANNEL

FEATURES = """\
[workspace]
name = "lab"
channels = ["https://prefix.dev/conda-forge"]
platforms = ["linux-64", "osx-arm64", {platform = "linux-64", cuda = {driver = "12.9", arch = "9.0"}}]

[tasks]
train = "python train.py"

[dependencies]
python = ">=3.12"
numpy = "*"

[target.linux-64.dependencies]
libblas = {version = "*", build = "*mkl"}

[target.win-64.dependencies]
openblas = "*"

[feature.cpu.dependencies]
pytorch-cpu = "*"

[feature.cuda]
platforms = ["linux-64-cuda-12-9"]

[feature.cuda.dependencies]
pytorch-gpu = "*"
cuda-version = "==12.9"

[feature.cuda.pypi-dependencies]
timm = {version = ">=1", extras = ["all"]}
lab = {path = ".", editable = true}

[feature.cuda.activation.env]
OMP_NUM_THREADS = "8"

[environments]
cpu = ["cpu"]
cuda = {features = ["cuda"], solve-group = "cuda"}
"""


def simple(dependencies: str, rest: str = "") -> str:
    return f'[workspace]\nchannels = ["conda-forge"]\nplatforms = ["linux-64"]\n[dependencies]\n{dependencies}\n{rest}'


def test_the_environment_with_cuda_is_taken(imported):
    found = imported(FEATURES, "pixi.toml")
    spec = found.spec
    assert (str(spec.cuda), spec.gpu, spec.sources, str(spec.python)) == (
        "==12.9",
        "required",
        ("conda-forge",),
        ">=3.12",
    )
    assert (spec.conda, spec.wheels) == (("numpy", "libblas * *mkl"), ("timm[all]>=1",))
    assert (spec.variables, str(spec.needs.capability)) == ((("OMP_NUM_THREADS", "8"),), ">=9.0")
    assert any("environment `cuda` is taken" in each.text for each in found.taken)


def test_what_is_left_out_is_said_with_its_line(imported):
    said = {each.where: each.text for each in imported(FEATURES, "pixi.toml").left_out}
    assert said == {
        "pixi.toml:4": "platforms osx-arm64: name the machines under `targets`",
        "pixi.toml:6": "tasks are pixi's own",
        "pixi.toml:31": "`lab` is a local project: install it afterwards",
    }


def test_another_environment_can_be_asked_for(imported):
    assert imported(FEATURES, "pixi.toml", environment="cpu").spec.cuda == "none"


def test_an_environment_that_is_not_there_is_refused(imported):
    with pytest.raises(UsageError, match="no environment `gpu`"):
        imported(FEATURES, "pixi.toml", environment="gpu")


def test_system_requirements_keep_the_build_within_the_drivers_major(imported):
    spec = imported(simple('pytorch-gpu = "*"', '[system-requirements]\ncuda = "12.0"'), "pixi.toml").spec
    assert (str(spec.cuda), spec.gpu) == ("<13", "required")


def test_the_platforms_table_says_as_much(imported):
    text = '[workspace]\nchannels = ["conda-forge"]\nplatforms = [{platform = "linux-64", cuda = "12.0"}]\n[dependencies]\npytorch = "*"'
    assert str(imported(text, "pixi.toml").spec.cuda) == "<13"


def test_a_channel_of_a_dependency_says_where_torch_is_from(imported):
    text = simple(
        'pytorch = {version = ">=2.2.0,<2.3", channel = "pytorch"}\npytorch-cuda = {version = "11.8.*", channel = "pytorch"}'
    )
    spec = imported(text, "pixi.toml").spec
    assert (str(spec.torch), str(spec.cuda), spec.sources) == ("<2.3,>=2.2.0", "==11.8.*", (OLD_CHANNEL,))


def test_an_index_of_a_wheel_says_which_cuda(imported):
    text = simple(
        "", '[pypi-dependencies]\ntorch = {version = "~=2.9", index = "https://download.pytorch.org/whl/cu128"}'
    )
    spec = imported(text, "pixi.toml").spec
    assert (str(spec.torch), str(spec.cuda), spec.sources) == ("~=2.9", "==12.8.*", ("pytorch",))


def test_pixis_tables_in_a_pyproject_join_its_project(imported):
    text = (
        '[project]\nname = "both"\nrequires-python = ">=3.11"\ndependencies = ["einops"]\n'
        '[tool.pixi.workspace]\nchannels = ["conda-forge"]\nplatforms = ["linux-64"]\n'
        '[tool.pixi.dependencies]\npytorch-gpu = ">=2.8"\n'
    )
    spec = imported(text, "pyproject.toml").spec
    assert (spec.name, str(spec.torch), str(spec.python), spec.wheels) == ("both", ">=2.8", ">=3.11", ("einops",))


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("[dependencies]\n", "pixi.toml", "has a table `\\[workspace\\]`"),
        ("[workspace]\n[workspace]\n", "pixi.toml:2:11", "not TOML"),
        (simple("pytorch = '>=2|1'"), "pixi.toml:5", "has no form in PEP 440"),
        (simple("", "[pypi-dependencies]\ntorch = 2"), "pixi.toml:7", "neither a text nor a table"),
        ('[workspace]\n[feature]\nx = "y"\n[environments]\na = ["x"]\n', "pixi.toml:3", "is not a table"),
    ],
)
def test_a_bad_file_is_refused_at_its_place(imported, text, where, said):
    with pytest.raises(SpecError, match=said) as caught:
        imported(text, "pixi.toml")
    assert caught.value.where[0] == where
