"""Real interpreters to verify: one with the real torch (cached between runs), and planted ones that cost milliseconds."""

import inspect
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from filelock import FileLock

TORCH = "2.13.0"
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
PLANTER = """
import importlib.abc, importlib.util, sys

class After(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("torch")
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            plant(module)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, After())
"""


def pip_finds_cpu_build(python: Path) -> str | None:
    """None when pip would install a CPU build here, else the reason why not."""
    argv = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--dry-run",
        "--no-deps",
        "--ignore-installed",
        "--report",
        "-",
        f"torch=={TORCH}",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"pip finds no torch {TORCH} here: {done.stderr.strip().splitlines()[-1] if done.stderr else ''}"
    version = json.loads(done.stdout)["install"][0]["metadata"]["version"]
    if version.endswith("+cpu") or platform.system() == "Darwin":
        return None
    return (
        f"pip finds torch {version} here, a CUDA build of gigabytes; ENVFORGE_TEST_PYTHON may name a Python with torch"
    )


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """A Python with the real torch, from ENVFORGE_TEST_PYTHON or made once by pip."""
    if given := os.environ.get("ENVFORGE_TEST_PYTHON"):
        return Path(given)
    home = Path(tempfile.gettempdir()) / f"envforge-tests-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    venv = home / f"torch-{TORCH}-{sysconfig.get_python_version()}"
    python, done = venv / "bin" / "python", venv / "complete"
    with FileLock(f"{venv}.lock"):
        if not done.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            if reason := pip_finds_cpu_build(python):
                pytest.skip(reason)
            subprocess.run([python, "-m", "pip", "install", "-q", f"torch=={TORCH}", "numpy"], check=True)
            done.touch()
    return python


def light_venv(home: Path) -> Path:
    """Make an empty virtual environment by hand, in a millisecond; give its site-packages."""
    site = home / SITE
    site.mkdir(parents=True)
    (home / "bin").mkdir()
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    (home / "bin" / "python").symlink_to(base)
    (home / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    return site


HERE = Path(__file__).parent / "stand_ins"
CHECKS = resources.files("envforge.verify").joinpath("checks")
sys.path.append(str(CHECKS))  # the checks' own pure functions need no torch


@pytest.fixture(scope="session")
def build() -> Callable[[Path, Path], Path]:
    """Build a shared library from a C file; skip where there is no compiler."""

    def make(library: Path, source: Path) -> Path:
        if not (compiler := shutil.which("cc") or shutil.which("gcc")):
            pytest.skip("no C compiler to build the stand-in library")
        library.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-shared", "-fPIC", source, "-o", library], check=True)
        return library

    return make


@pytest.fixture(scope="session")
def driver(build, tmp_path_factory) -> Path:
    """A folder with stand-ins for libcuda, NVML and NVRTC, to be put on LD_LIBRARY_PATH."""
    folder = tmp_path_factory.mktemp("driver")
    build(folder / "libcuda.so.1", HERE / "libcuda.c")
    build(folder / "libnvidia-ml.so.1", HERE / "libnvml.c")
    build(folder / "libnvrtc.so.13", HERE / "libnvrtc.c")
    return folder


Stub = Callable[..., Path]


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    """Make an environment whose torch is a few lines; ``fault`` runs where a check asks for the git version."""

    def make(torch: str = "", fault: str = "return 'none'", name: str = "stub") -> Path:
        package = light_venv(tmp_path / name) / "torch"
        package.mkdir()
        body = textwrap.indent(textwrap.dedent(fault).strip(), " " * 8)
        (package / "__init__.py").write_text(
            "import ctypes, os, signal, sys, time\n"
            f"__version__ = '{TORCH}+cpu'\n"
            "tensor = device = None\n"
            "class Version:\n"
            "    cuda = hip = None\n"
            "    @property\n"
            f"    def git_version(self):\n{body}\n"
            "version = Version()\n" + textwrap.dedent(torch)
        )
        return tmp_path / name / "bin" / "python"

    return make


@pytest.fixture
def planted(tmp_path: Path, torch_python: Path) -> Callable[..., Path]:
    """Make an environment with the real torch, tampered with by a function of it right after its import."""

    def make(*faults: Callable[..., None], name: str = "planted", triton: bool = False) -> Path:
        site = light_venv(tmp_path / name)
        (site / "real.pth").write_text(f"{torch_python.parent.parent / SITE}\n")
        source = "".join(textwrap.dedent(inspect.getsource(fault)) + "\n" for fault in faults)
        calls = "".join(f"    {fault.__name__}(torch)\n" for fault in faults)
        (site / "planter.py").write_text(f"{source}\ndef plant(torch):\n{calls}\n{PLANTER}")
        (site / "zz_plant.pth").write_text("import planter\n")
        if triton:
            shutil.copy(HERE / "triton.py", site)
        return tmp_path / name / "bin" / "python"

    return make
