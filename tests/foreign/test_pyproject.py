"""pyproject.toml: PEP 621, uv, poetry."""

import pytest

from envforge.errors import SpecError, UsageError

UV = """\
[project]
name = "robots"
requires-python = ">=3.12"
dependencies = [
  "torch>=2.7,<2.12.0",
  "torchvision>=0.22.0",
  "numpy>=2",
  "tool",
  "from-git",
]

[project.optional-dependencies]
sim = ["mujoco>=3"]

[dependency-groups]
dev = ["pytest"]
all = [{include-group = "dev"}, "ruff"]

[[tool.uv.index]]
name = "pytorch-cu128"
url = "https://download.pytorch.org/whl/cu128"
explicit = true

[[tool.uv.index]]
url = "https://mirror.example/simple"
default = true

[tool.uv.sources]
torch = [
  {index = "pytorch-cu128", marker = "sys_platform == 'linux'"},
  {index = "pytorch-cpu", marker = "sys_platform == 'darwin'"},
]
tool = {path = "../tool", editable = true}
from-git = {git = "https://git.example/from-git", rev = "abc"}
"""

POETRY = """\
[tool.poetry]
name = "organs"

[tool.poetry.dependencies]
python = "~3.9"
torch = {version = "^1.12.0", source = "torch"}
torchvision = "^0.13.0"
wandb = "^0.12.21"
own = {path = "lib"}

[[tool.poetry.source]]
name = "torch"
url = "https://download.pytorch.org/whl/cu113"
"""


def test_uvs_sources_and_indexes_are_understood(imported):
    spec = imported(UV, "pyproject.toml").spec
    assert (str(spec.torch), str(spec.cuda), spec.sources) == ("<2.12.0,>=2.7", "==12.8.*", ("pytorch",))
    assert (str(spec.python), spec.name, spec.wheels) == (">=3.12", "robots", ("numpy>=2",))
    assert spec.indexes == ("https://mirror.example/simple",)


def test_what_is_left_out_is_said_with_its_line(imported):
    said = {each.where: each.text for each in imported(UV, "pyproject.toml").left_out}
    assert said["pyproject.toml:13"] == "`sim` is optional: take it with `--extra`"
    assert said["pyproject.toml:33"] == "`tool` is a local project: install it afterwards"
    assert "has no hash to lock" in said["pyproject.toml:9"]


def test_extras_and_groups_are_taken_when_asked_for(imported):
    assert imported(UV, "pyproject.toml", extras=("sim", "all")).spec.wheels == (
        "numpy>=2",
        "mujoco>=3",
        "pytest",
        "ruff",
    )


def test_an_extra_that_is_not_there_is_refused(imported):
    with pytest.raises(UsageError, match="no extra or group `gpu`"):
        imported(UV, "pyproject.toml", extras=("gpu",))


def test_poetrys_carets_become_pep_440(imported):
    spec = imported(POETRY, "pyproject.toml").spec
    assert (str(spec.torch), str(spec.cuda), str(spec.python)) == ("<=1.12.1,>=1.12.0", "==11.3.*", "<3.10,>=3.9")
    assert spec.wheels == ("wandb<0.13,>=0.12.21",)


EXTRAS = """\
[project]
name = "lab"
dynamic = ["version"]

[project.optional-dependencies]
cpu = ["torch>=2.7"]
cu128 = ["torch>=2.7"]

[tool.uv.sources]
torch = [{index = "pytorch-cpu", extra = "cpu"}, {index = "pytorch-cu128", extra = "cu128"}]

[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true

[[tool.uv.index]]
name = "pytorch-cu128"
url = "https://download.pytorch.org/whl/cu128"
explicit = true
"""


@pytest.mark.parametrize(("extra", "cuda"), [("cpu", "none"), ("cu128", "==12.8.*")])
def test_a_source_for_an_extra_holds_with_that_extra(imported, extra, cuda):
    spec = imported(EXTRAS, "pyproject.toml", extras=(extra,)).spec
    assert (str(spec.torch), str(spec.cuda), spec.sources) == (">=2.7", cuda, ("pytorch",))


def test_poetry_may_only_say_where_the_projects_dependencies_are_from(imported):
    text = (
        '[project]\nname = "both"\ndependencies = ["torch>=2.4", "numpy"]\n'
        '[tool.poetry.dependencies]\ntorch = {source = "cu118"}\n'
        '[[tool.poetry.source]]\nname = "cu118"\nurl = "https://download.pytorch.org/whl/cu118"\npriority = "explicit"\n'
    )
    spec = imported(text, "pyproject.toml").spec
    assert (str(spec.torch), str(spec.cuda), spec.wheels, spec.indexes) == (">=2.4", "==11.8.*", ("numpy",), ("pypi",))


def test_dynamic_dependencies_are_said(imported):
    found = imported('[project]\nname = "x"\ndynamic = ["dependencies"]\n', "pyproject.toml")
    assert "`dynamic`" in found.left_out[0].text


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("[build-system]\n", "pyproject.toml", "there is no table"),
        ("[project\n", "pyproject.toml:1:9", "not TOML"),
        ('[project]\ndependencies = "torch"\n', "pyproject.toml:2", "is not a list of"),
        ('[project]\ndependencies = [\n "numpy",\n "torch=2"]\n', "pyproject.toml:4", "is not a requirement"),
        ('[project]\nname = "x"\n[tool]\nuv = 3\n', "pyproject.toml:4", "`tool.uv` is not a table"),
        ('[tool.poetry.dependencies]\ntorch = "two"\n', "pyproject.toml:2", "has no form in PEP 440"),
    ],
)
def test_a_bad_file_is_refused_at_its_place(imported, text, where, said):
    with pytest.raises(SpecError, match=said) as caught:
        imported(text, "pyproject.toml")
    assert caught.value.where[0] == where
