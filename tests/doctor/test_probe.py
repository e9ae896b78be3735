"""The environment probe on real Pythons: what is imported, what hangs, dies or lies, and which change helps."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from envforge.doctor import examine, load_rules
from envforge.doctor.probe import probe_environment
from envforge.model import Finding, Machine, Patient, Reading


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A real environment with no packages."""
    prefix = tmp_path_factory.mktemp("env")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    return prefix / "bin" / "python"


def site(python: Path) -> Path:
    return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"


@pytest.fixture
def with_torch(python):
    """Put a torch of a few lines into the environment, and take it away again."""
    folder = site(python) / "torch"

    def put(init: str, version: str = "2.9.1+cpu", cuda: str = "None") -> Path:
        folder.mkdir(exist_ok=True)
        (folder / "version.py").write_text(f"__version__ = '{version}'\ncuda = {cuda}\n")
        (folder / "__init__.py").write_text(textwrap.dedent(init))
        return folder

    yield put
    shutil.rmtree(folder, ignore_errors=True)


def probe(python, tmp_path, **variables):
    return probe_environment(
        str(python), environ={"PATH": "/usr/bin:/bin", **variables}, cwd=str(tmp_path), deadline_s=20
    )


def found(value):
    readings = (Reading(source="platform", value={"kind": "bare-metal", "arch": "x86_64"}),)
    answers = examine(Patient(machine=Machine(name="x", readings=readings), environment=value), load_rules())
    return {answer.id for answer in answers if isinstance(answer, Finding)}


WORKS = """
    from torch.version import __version__
    class cuda:
        is_available = staticmethod(lambda: False)
        device_count = staticmethod(lambda: 0)
    class _C: pass
"""


def test_an_environment_without_torch_says_so(python, tmp_path):
    value = probe(python, tmp_path).value
    assert (None, "failed") == (value["torch"], value["import"])


def test_a_python_that_is_not_there_is_an_error_not_a_finding(tmp_path):
    reading = probe_environment(str(tmp_path / "python"))
    assert "cannot be started" in reading.error


def test_a_program_that_is_no_python_is_an_error(tmp_path):
    assert "told nothing" in probe_environment("/bin/true", cwd=str(tmp_path)).error


def test_torch_is_read_and_imported(python, with_torch, tmp_path):
    folder = with_torch(WORKS)
    value = probe(python, tmp_path).value
    assert ("ok", "2.9.1+cpu", str(folder / "__init__.py")) == (
        value["import"],
        value["torch"]["version"],
        value["torch"]["file"],
    )
    assert "ab_tests" not in value


def test_the_version_is_told_when_the_import_fails(python, with_torch, tmp_path):
    with_torch("raise ImportError('libcudart.so.13: cannot open shared object file')", "2.9.1+cu130", "'13.0'")
    value = probe(python, tmp_path).value
    assert ("2.9.1+cu130", "13.0", "failed") == (value["torch"]["version"], value["torch"]["cuda"], value["import"])
    assert "libcudart.so.13" in value["error"]


def test_a_crash_on_import_is_told_by_its_signal(python, with_torch, tmp_path):
    with_torch("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    value = probe(python, tmp_path).value
    assert ("failed", True) == (value["import"], "SIGILL" in value["error"])


def test_a_hang_on_import_passes_the_deadline_and_keeps_what_was_told(python, with_torch, tmp_path):
    with_torch("import time; time.sleep(60)")
    value = probe_environment(str(python), environ={}, cwd=str(tmp_path), deadline_s=1.5).value
    assert ("deadline exceeded", "2.9.1+cpu") == (value["error"], value["torch"]["version"])


def test_a_crash_in_the_first_kernel_is_told_there(python, with_torch, tmp_path):
    with_torch(WORKS.replace("lambda: False", "lambda: __import__('os').abort()"), "2.9.1+cu130", "'13.0'")
    value = probe(python, tmp_path).value
    assert ("ok", True) == (value["import"], "SIGABRT" in value["smoke_kernel"])


def test_a_variable_that_breaks_torch_is_proven_by_a_child_without_it(python, with_torch, tmp_path):
    with_torch(
        "import os\nif 'LD_LIBRARY_PATH' in os.environ: raise ImportError('libcublas.so.12: undefined symbol: cublasLtX')"
    )
    folder = site(python) / "torch" / "__init__.py"
    folder.write_text(folder.read_text() + textwrap.dedent(WORKS))
    value = probe(python, tmp_path, LD_LIBRARY_PATH="/usr/local/cuda/lib64").value
    assert {"without LD_LIBRARY_PATH": "ok"} == value["ab_tests"]
    assert "ld-library-path-cublaslt" in found(value)


def test_a_folder_called_torch_in_the_working_directory_is_seen(python, with_torch, tmp_path):
    with_torch(WORKS)
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("from torch._C import nothing\n")
    value = probe(python, tmp_path).value
    assert "ok" == value["ab_tests"]["from another directory"]
    assert "cwd-shadows-torch" in found(value)


def test_a_torch_of_the_users_own_site_is_seen(python, tmp_path):
    home = tmp_path / "home"
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    folder = home / ".local" / "lib" / minor / "site-packages" / "torch"
    folder.mkdir(parents=True)
    (folder / "version.py").write_text("__version__ = '1.13.1+cu117'\ncuda = '11.7'\n")
    (folder / "__init__.py").write_text("raise ImportError('broken')")
    value = probe(python, tmp_path, PYTHONPATH=str(folder.parent), HOME=str(home)).value
    assert "user-site-shadows-env" in found(value)


def test_conda_records_give_build_and_channel(python, with_torch, tmp_path):
    with_torch(WORKS)
    meta = python.parent.parent / "conda-meta"
    meta.mkdir(exist_ok=True)
    (meta / "pytorch-2.9.1-cpu.json").write_text(
        '{"name": "pytorch", "version": "2.9.1", "build": "cpu_mkl_py312", "channel": "https://host/conda-forge/linux-64"}'
    )
    value = probe(python, tmp_path).value
    shutil.rmtree(meta)
    assert {"pytorch": "2.9.1-cpu_mkl_py312 (conda-forge)"} == value["conda_meta"]


def test_a_listed_library_that_is_not_there_is_missing(python, with_torch, tmp_path):
    with_torch(WORKS)
    info = site(python) / "torch-2.9.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.9.1\n")
    (info / "RECORD").write_text("torch/lib/libtorch.so,,\ntorch/__init__.py,,\n")
    value = probe(python, tmp_path).value
    shutil.rmtree(info)
    assert (["torch/lib/libtorch.so"], {"torch": "2.9.1"}) == (value["missing_files"], value["packages"])
