"""What is released: wheel, sdist, manual page, bill of materials, conda recipe; built and installed for real."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest
import requests
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from pypi_simple import PYPI_SIMPLE_ENDPOINT

import envforge
from docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = ROOT / "docs" / "packaging" / "recipe.yaml"
CARRIED = ("py.typed", "doctor/rulebook.json", "facts/compiled/index.json", "verify/checks.yaml")


def run(*words, **more):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=280, **more)
    assert 0 == done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def clone(folder):
    """A clean tree, as a checkout has it."""
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def build(source, folder):
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
    run(sys.executable, "-m", "build", "--no-isolation", "-o", folder, source, env=environ)
    return {path.suffix: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a checkout")
    return clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def built(tree, tmp_path_factory):
    return build(tree, tmp_path_factory.mktemp("dist"))


@pytest.fixture
def index():
    try:
        requests.head(PYPI_SIMPLE_ENDPOINT + "rich/", timeout=10)
    except requests.RequestException as error:
        pytest.skip(f"the package index cannot be reached: {type(error).__name__}")


@pytest.mark.slow
def test_the_same_tree_gives_the_same_bytes(tree, built, tmp_path):
    again = build(shutil.copytree(tree, tmp_path / "elsewhere"), tmp_path / "dist")
    assert {name: path.read_bytes() for name, path in built.items()} == {
        name: path.read_bytes() for name, path in again.items()
    }


@pytest.mark.slow
def test_the_wheel_carries_what_runs_and_nothing_else(tree, built):
    names = zipfile.ZipFile(built[".whl"]).namelist()
    info = f"envforge-{envforge.__version__}"
    assert {f"envforge/{name}" for name in CARRIED} <= set(names)
    assert f"{info}.data/data/share/man/man1/envforge.1" in names
    assert f"{info}.dist-info/sboms/envforge.cdx.json" in names
    own = {str(path.relative_to(tree / "src")) for path in (tree / "src/envforge").rglob("*.py")}
    assert own == {name for name in names if name.endswith(".py")}
    tops = {name.split("/")[0] for name in names}
    assert {"envforge", f"{info}.dist-info", f"{info}.data"} == tops
    assert [] == [name for name in names if "__pycache__" in name or "/tests/" in name]


@pytest.mark.slow
def test_the_sdist_carries_what_builds_and_tests_it(built):
    with tarfile.open(built[".gz"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "noxfile.py",
        "src/envforge/py.typed",
        "tests/conftest.py",
    } <= names
    assert {"docs/reference/envforge.1", "docs/packaging/envforge.cdx.json", "docs/reference/rules.md"} <= names
    assert [] == [name for name in names if "__pycache__" in name or name.startswith(".git/")]


@pytest.mark.slow
def test_it_installs_as_a_tool_of_uv(built, index, tmp_path):
    own = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    run(
        sys.executable,
        "-m",
        "uv",
        "tool",
        "install",
        "--python",
        sys.executable,
        built[".whl"],
        env={**os.environ, **own},
    )
    assert f"envforge {envforge.__version__}\n" == run(tmp_path / "bin/envforge", "--version").stdout
    assert '"type": "object"' in run(tmp_path / "bin/envforge", "schema").stdout


@pytest.mark.slow
def test_it_installs_with_pipx_and_its_manual_page_too(built, index, tmp_path):
    names = {"PIPX_HOME": "home", "PIPX_BIN_DIR": "bin", "PIPX_MAN_DIR": "man"}
    own = {name: str(tmp_path / folder) for name, folder in names.items()}
    words = ("install", "--python", sys.executable, built[".whl"])
    run(sys.executable, "-m", "pipx", *words, env={**os.environ, **own})
    assert f"envforge {envforge.__version__}\n" == run(tmp_path / "bin/envforge", "--version").stdout
    assert (tmp_path / "man/man1/envforge.1").is_file()


def test_the_manual_page_is_read_without_complaint():
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    done = run("groff", "-man", "-ww", "-Tutf8", ROOT / "docs/reference/envforge.1")
    assert "" == done.stderr
    assert "EXIT STATUS" in re.sub(".\x08", "", done.stdout)


def test_the_bill_of_materials_is_valid_and_names_every_dependency():
    text = (ROOT / "docs/packaging/envforge.cdx.json").read_text()
    assert None is JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    document = json.loads(text)
    required = {each["name"] for each in document["components"] if each["scope"] == "required"}
    assert {Requirement(each).name for each in PROJECT["dependencies"]} == required


def rendered():
    import rattler_build

    recipe = rattler_build.Stage0Recipe.from_file(RECIPE)
    (variant,) = recipe.render(rattler_build.VariantConfig(), rattler_build.RenderConfig())
    return variant


def test_the_recipe_is_what_rattler_build_reads():
    recipe = rendered().recipe.to_dict()
    assert {"name": "envforge", "version": envforge.__version__} == recipe["package"]
    assert "python" == recipe["build"]["noarch"]
    assert [f"envforge = {PROJECT['scripts']['envforge']}"] == recipe["build"]["python"]["entry_points"]
    assert PROJECT["description"] == recipe["about"]["summary"]


def test_the_recipe_asks_for_what_the_project_asks_for():
    def told(text):
        wanted = Requirement(text.replace(" ", "", 1))
        return wanted.name, wanted.specifier

    run_ = dict(told(each) for each in rendered().recipe.to_dict()["requirements"]["run"])
    asked = {each.name: each.specifier for each in map(Requirement, PROJECT["dependencies"])}
    assert asked | {"python": Requirement(f"python{PROJECT['requires-python']}").specifier} == run_


@pytest.mark.slow
def test_the_recipe_builds_a_package_that_passes_its_own_tests(tree, built, index, tmp_path):
    """With `pip`'s wheels repacked into a channel: rattler-build makes the package, installs it, and tests it."""
    if sys.base_prefix == "/usr":
        pytest.skip("the system's Python cannot be repacked: its files say `/usr` everywhere")
    if PROJECT["requires-python"] != f">={sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip(f"the recipe builds with the least Python, {PROJECT['requires-python']}")
    wheels, channel = tmp_path / "wheels", tmp_path / "channel"
    words = ("download", "-q", "--only-binary", ":all:", "-d", wheels, built[".whl"], "pip", "hatchling")
    run(sys.executable, "-m", "pip", *words)
    next(wheels.glob("envforge-*")).unlink()
    run(
        *(sys.executable, "-m", "channel.build", channel, wheels, sys.executable),
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    )
    code = (
        "import sys, rattler_build as rb\n"
        "(variant,) = rb.Stage0Recipe.from_file(sys.argv[1]).render(rb.VariantConfig(), rb.RenderConfig())\n"
        "told = rb.ToolConfiguration(test_strategy='native')\n"
        "made = variant.run_build(tool_config=told, output_dir=sys.argv[2], channels=[sys.argv[3]])\n"
        "print(made.packages[0])\n"
    )
    words = (
        sys.executable,
        "-c",
        code,
        shutil.copytree(tree, tmp_path / "clone") / "docs/packaging/recipe.yaml",
        tmp_path / "out",
        channel.as_uri(),
    )
    done = run(*words, env={**os.environ, "HOME": str(tmp_path)})
    assert re.search(r"/noarch/envforge-[\d.]+-pyh\w+_0\.conda$", done.stdout.strip())
