"""`envforge facts`: shown, held against an installed torch, and brought up to date from an index."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from channel.served import write_index
from cli.calling import envelope, envforge
from envforge.engines.remote_wheel import arch_flags, read_code
from envforge.engines.settings import Settings
from envforge.errors import Unreachable
from envforge.facts import load_facts

FLAGS = b"sm_75 sm_90 sm_100 sm_120 compute_120"
NEWER = "torch-2.99.0-cp312-cp312-manylinux_2_28_x86_64.whl"


def wheel(folder: Path, name: str = NEWER, cuda: str = "'13.4'", flags: bytes = FLAGS) -> Path:
    """Make a torch wheel that has only what is read by ranges, below some megabytes of what is not."""
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("torch/lib/libtorch_cuda.so", bytes(range(256)) * 8192, zipfile.ZIP_STORED)
        archive.writestr("torch/version.py", f"__version__ = '2.99.0'\ncuda: Optional[str] = {cuda}\n")
        archive.writestr(
            "torch/lib/libtorch_python.so", b"\x00\x7f" * 999 + b"\x00" + flags + b"\x00get_arch" + b"\x01" * 999
        )
    return path


@pytest.fixture
def index(tmp_path, http_server):
    """Serve an index that has one torch newer than all facts, and builds of it that are no facts of envforge."""
    made = tmp_path / "made"
    made.mkdir()
    others = [NEWER.replace("2.99.0", f"2.99.0+{local}") for local in ("rocm7.2", "cpu.cxx11.abi", "xpu")]
    write_index(tmp_path, [wheel(made), *(wheel(made, name) for name in others)])
    return http_server(tmp_path)


def update(index, tmp_path, *words):
    environ = {
        "PIP_INDEX_URL": f"{index.url}/simple",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_FIND_LINKS": "",
        "UV_NO_CONFIG": "1",
    }
    return envforge(
        "facts", "update", "--source", "pypi", *words, ENVFORGE_FACTS_DIR=str(tmp_path / "facts"), **environ
    )


def test_a_release_newer_than_all_facts_is_read_by_ranges_and_laid_over_them(index, tmp_path):
    data = envelope(update(index, tmp_path, "--json"))["data"]
    (build,) = data["builds"]
    assert (build["torch"], build["cuda"], build["pythons"], build["sass"], build["ptx"]) == (
        "2.99.0",
        "13.4",
        ["3.12"],
        ["7.5", "9.0", "10.0", "12.0"],
        ["12.0"],
    )
    laid = load_facts(tmp_path / "facts")
    (known,) = (each for each in laid.builds("linux-64") if str(each.torch) == "2.99.0")
    assert (str(known.cuda), known.source, len(known.sass or ()), laid.digest != load_facts().digest) == (
        "13.4",
        "pypi",
        4,
        True,
    )


def test_what_was_read_once_is_known_from_then_on(index, tmp_path):
    update(index, tmp_path)
    again = update(index, tmp_path, "--json")
    assert (envelope(again)["data"]["builds"], len(list((tmp_path / "facts").iterdir()))) == ([], 1)
    shown = envforge("facts", "--torch", "2.99", ENVFORGE_FACTS_DIR=str(tmp_path / "facts"))
    assert "2.99.0" in shown.stdout


def test_a_dry_run_writes_nothing(index, tmp_path):
    done = update(index, tmp_path, "--dry-run")
    assert (done.returncode, (tmp_path / "facts").exists(), "2.99.0" in done.stdout) == (0, False, True)


def test_a_wheel_that_cannot_be_read_is_said_and_left_out(index, tmp_path):
    index.misbehave(r"\.whl", "404")
    done = update(index, tmp_path)
    assert (done.returncode, "cannot be read by ranges" in done.stderr, (tmp_path / "facts").exists()) == (
        0,
        True,
        False,
    )


def test_an_index_that_cannot_be_asked_is_an_error(index, tmp_path):
    index.misbehave("torch", "503")
    done = update(index, tmp_path, "--json")
    assert (done.returncode, envelope(done)["errors"][0]["code"]) == (5, "unreachable")


def test_a_cpu_wheel_has_no_gpu_code(tmp_path):
    code = read_code(wheel(tmp_path, cuda="None").as_uri(), Settings(), 5)
    assert (code.cuda, code.sass, code.ptx) == (None, (), ())


def test_a_wheel_whose_library_names_no_flags_leaves_them_unknown(tmp_path):
    code = read_code(wheel(tmp_path, flags=b"none").as_uri(), Settings(), 5)
    assert (str(code.cuda), code.sass, code.ptx) == ("13.4", None, None)


def test_what_is_no_wheel_is_refused(tmp_path):
    (tmp_path / NEWER).write_bytes(b"PK" * 999)
    with pytest.raises(Unreachable, match="cannot be read by ranges"):
        read_code((tmp_path / NEWER).as_uri(), Settings(), 5)


def test_arch_flags_are_split_and_ordered():
    sass, ptx = arch_flags("sm_100 sm_90a sm_75 compute_120")
    assert ([str(each) for each in sass], [str(each) for each in ptx]) == (["7.5", "9.0", "10.0"], ["12.0"])


@pytest.fixture
def python_with(tmp_path):
    """Make an interpreter that has a ``torch`` which says these things of itself."""

    def make(version: str, cuda: str | None, flags: str | None, abi: bool = True) -> Path:
        package = tmp_path / "site" / "torch"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(
            f"import types\n__version__ = {version!r}\nversion = types.SimpleNamespace(cuda={cuda!r})\n"
            f"_C = types.SimpleNamespace(_cuda_getArchFlags=lambda: {flags!r}, _GLIBCXX_USE_CXX11_ABI={abi})\n"
        )
        program = tmp_path / "python"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "site"} exec {sys.executable} "$@"\n')
        program.chmod(0o755)
        return program

    return make


def verify(python, *words, **environ):
    return envforge("facts", "verify", "--python", python, *words, ENVFORGE_FACTS_DIR="/nonexistent", **environ)


def test_a_torch_as_the_facts_say_it_agrees(python_with):
    flags = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
    done = verify(python_with("2.14.1+cu130", "13.0", flags), "--json")
    document = envelope(done)
    assert (document["command"], document["data"]["verdict"], document["data"]["build"]["source"]) == (
        "facts verify",
        "agrees",
        "pytorch",
    )


def test_a_contradiction_is_named_and_exits_1(python_with):
    done = verify(python_with("2.14.1+cu130", "13.0", "sm_90 compute_90"), "--json")
    data = envelope(done)["data"]
    wrong = {each["what"]: each["measured"] for each in data["held"] if each["agrees"] is False}
    assert (done.returncode, data["verdict"], wrong["machine code"], wrong["PTX"]) == (1, "contradicts", "9.0", "9.0")


def test_a_torch_that_no_fact_names_is_unknown(python_with):
    done = verify(python_with("3.1.0", "14.0", "sm_90"))
    assert (done.returncode, "No fact names torch 3.1.0" in done.stdout) == (3, True)


def test_a_python_without_torch_cannot_be_measured(tmp_path):
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    program.chmod(0o755)
    done = verify(program)
    assert (done.returncode, "torch cannot be measured" in done.stderr) == (3, True)


@pytest.mark.parametrize("words", [(), ("--gpu", "Tesla V100-SXM2-32GB", "--driver", "580.65.06"), ("--torch", "2.4")])
def test_the_tables_fit_eighty_columns(words):
    done = envforge("facts", *words, COLUMNS="80")
    assert (done.returncode, max(map(len, done.stdout.splitlines())) <= 80) == (0, True)


def test_an_overlay_that_cannot_be_read_is_refused_at_its_place(tmp_path):
    (tmp_path / "2026-12-03-01.yaml").write_text("torch: {index: {rows: []}}\n")
    done = envforge("facts", ENVFORGE_FACTS_DIR=str(tmp_path))
    assert (done.returncode, "2026-12-03-01.yaml:1" in done.stderr) == (2, True)
