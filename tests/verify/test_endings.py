"""Whatever a worker does, every check gets a result with the right outcome and code, and the others still run."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envforge.verify import verify
from envforge.verify.ending import decode
from patience import in_time
from verify.told import said

CHECKS = ("build_facts", "torch_origin")


PASSED = {"import_torch": ("pass", None), "torch_origin": ("pass", None)}


def test_a_healthy_stub_passes(stub):
    report = verify(stub(), None, CHECKS)
    assert ({**PASSED, "build_facts": ("pass", None)}, "pass") == (said(report), report.verdict)


def test_the_check_that_runs_is_shown_the_import_first(stub):
    shown = []
    verify(stub(fault="os.abort()"), None, CHECKS, emit=lambda step: shown.append(step.subject.split(" · ")[0]))
    assert ["import_torch", "build_facts", "import_torch", "torch_origin"] == shown


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        ("ctypes.string_at(0)", "fail", "E_SIGSEGV"),
        ("os.abort()", "fail", "E_SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGILL)", "fail", "E_SIGILL"),
        ("os.kill(os.getpid(), signal.SIGBUS)", "fail", "E_SIGBUS"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "inconclusive", "E_SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "inconclusive", "E_SIGTERM"),
        ("os._exit(17)", "fail", "E_EXIT"),
        ("os._exit(0)", "fail", "E_EXIT"),
        ("sys.exit(0)", "fail", "E_EXCEPTION"),
        ("raise MemoryError", "inconclusive", "E_OOM"),
        ("raise RuntimeError('CUDA error: no kernel image is available')", "fail", "torch-arch-too-old-for-gpu"),
        ("import pkg_resources_of_old", "fail", "E_NO_MODULE"),
    ],
)
def test_a_crash_costs_one_result(stub, fault, outcome, code):
    assert {**PASSED, "build_facts": (outcome, code)} == said(verify(stub(fault=fault), None, CHECKS))


def test_garbage_on_stdout_harms_nothing(stub):
    noise = "print('{\"event\": \"result\"}', flush=True); os.write(1, bytes(range(256)) * 300); return 'x'"
    assert {**PASSED, "build_facts": ("pass", None)} == said(verify(stub(fault=noise), None, CHECKS))


def test_a_message_that_is_no_text_can_be_shown(stub):
    report = verify(stub(fault=r"raise RuntimeError('no file \udc80\U0001f600')"), None, CHECKS)
    detail = next(r for r in report.results if r.check == "build_facts").detail
    assert "RuntimeError: no file ?\U0001f600" == detail.encode().decode()


def test_a_crash_says_what_the_library_printed(stub):
    report = verify(stub(fault="os.write(2, b'assertion `x` failed'); os.abort()"), None, CHECKS)
    assert "assertion `x` failed" in next(r for r in report.results if r.check == "build_facts").measured["said"]


@pytest.mark.parametrize("hang", ["time.sleep(600)", "while True: pass", "ctypes.CDLL(None).sleep(600)"])
def test_a_hang_costs_its_limit_and_shows_where(stub, hang):
    began = time.monotonic()
    report = verify(stub(fault=hang), None, CHECKS, slack=0.1)
    result = next(r for r in report.results if r.check == "build_facts")
    assert {**PASSED, "build_facts": ("fail", "E_TIMEOUT")} == said(report)
    assert "git_version" in result.measured["stack"]
    assert time.monotonic() - began < 60


CROWD = """
import subprocess
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
crowd = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
os.nice(5)
while time.process_time() < busy_until: pass
for each in crowd: each.kill()
return "x"
"""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not count time in line")
def test_a_check_that_other_programs_crowd_out_gets_its_time(stub):
    """It needs a quarter of its limit, and gets a tenth of a processor."""
    python = stub(fault=f"busy_until = time.process_time() + 0.4{CROWD}")
    report = verify(python, None, CHECKS, slack=0.1)
    took_s = next(result.took_s for result in report.results if result.check == "build_facts")
    assert ({**PASSED, "build_facts": ("pass", None)}, True) == (said(report), took_s > 1.5)


def test_the_suite_keeps_its_own_deadline(stub):
    report = verify(stub(fault="time.sleep(600)"), None, CHECKS, deadline_s=4)
    late = ("inconclusive", "E_DEADLINE")
    assert {"import_torch": ("pass", None), "build_facts": late, "torch_origin": late} == said(report)


def test_a_grandchild_that_keeps_running_holds_nothing_up(stub):
    fault = "os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '600'); return 'x'"
    began = time.monotonic()
    assert {**PASSED, "build_facts": ("pass", None)} == said(verify(stub(fault=fault), None, CHECKS))
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("torch", "outcome", "code"),
    [
        ("ctypes.string_at(0)", "fail", "E_SIGSEGV"),
        ("raise ImportError('libcudnn.so.9: cannot open shared object file: No such file')", "fail", "E_LIB_MISSING"),
        ('raise ImportError("/lib/libc.so.6: version `GLIBC_2.34\' not found")', "fail", "glibc-too-old"),
        ('raise ImportError("version `GLIBCXX_3.4.30\' not found")', "fail", "libstdcxx-too-old"),
        ("raise ImportError('undefined symbol: iJIT_NotifyEvent')", "fail", "mkl-2024-1-ijit"),
        ("raise ImportError('undefined symbol: ncclCommRegister')", "fail", "E_LIB_MISMATCH"),
        ("import typing_extensions_of_old", "fail", "E_NO_MODULE"),
        ("del version", "fail", "E_IMPORT"),
        ("1 / 0", "fail", "E_IMPORT"),
    ],
)
def test_a_torch_that_does_not_import_is_said_at_once(stub, torch, outcome, code):
    report = verify(stub(torch), None, "quick", require=("fft",))
    assert (outcome, code) == said(report)["import_torch"]
    assert ("fail", "E_REQUIRED") == said(report)["fft"]
    assert {"S_NO_TORCH", "E_REQUIRED"} == {result.code for result in report.results if result.check != "import_torch"}


def test_a_library_of_torch_that_was_cut_short_is_said(stub, build, tmp_path):
    """The loader maps what is no longer there: `ImportError` by some, SIGBUS by others."""
    (tmp_path / "code.c").write_text("static char room[1 << 16] = {1}; char *where(void) { return room; }")
    library = build(tmp_path / "libtorch_cpu.so", tmp_path / "code.c")
    library.write_bytes(library.read_bytes()[:8192])
    report = verify(stub(f"ctypes.CDLL({str(library)!r})"), None, "quick")
    assert report.results[0].outcome == "fail"
    assert report.results[0].code in ("E_IMPORT", "E_SIGBUS")


def test_no_torch_is_said_in_milliseconds(stub):
    python = stub()
    for file in (python.parent.parent).rglob("torch/__init__.py"):
        file.unlink()
        file.parent.rmdir()
    with in_time(2):
        report = verify(python, None)
    assert ("fail", "E_NO_TORCH", "fail") == (*said(report)["import_torch"], report.verdict)


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/true", "/bin/cat", "/etc/passwd", "/tmp"])
def test_what_is_no_python_is_inconclusive(program):
    report = verify(Path(program), None)
    assert ("inconclusive", "E_NO_PYTHON", "inconclusive") == (*said(report)["import_torch"], report.verdict)


def test_codes_of_shells_and_signals_are_the_same():
    assert decode(-signal.SIGSEGV) == decode(128 + signal.SIGSEGV)


def test_a_kill_that_the_kernel_counted_is_memory():
    assert ("E_OOM_KILLED", "inconclusive") == (decode(-9, oom_kills=1).code, decode(-9, oom_kills=1).outcome)


@pytest.fixture
def small_group() -> Iterator[Path]:
    """The file of a control group of 64 MiB (version 2, else 1) that takes the ids of processes to be held to it."""
    for root, limit in ((cgroup("0::"), "memory.max"), (cgroup("memory"), "memory.limit_in_bytes")):
        group = root / f"envforge-test-{os.getpid()}"
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                if (group / limit).exists():
                    (group / limit).write_text(str(64 << 20))
                    yield group / "cgroup.procs"
                    return
            finally:
                group.rmdir()
    pytest.skip("no control group with a memory limit can be made here; it needs root and a writable /sys/fs/cgroup")


def cgroup(controller: str) -> Path:
    """This process's own group of a controller; ``0::`` is version 2's only one."""
    mine = Path("/proc/self/cgroup").read_text().splitlines() if Path("/proc/self/cgroup").exists() else []
    for line in mine:
        # 4:memory:/user.slice, or 0::/user.slice
        number, names, path = line.split(":", 2)
        if controller == f"{number}::" if not names else controller in names.split(","):
            return Path("/sys/fs/cgroup", names) / path.lstrip("/")
    return Path("/nowhere")


def test_a_worker_that_the_kernel_kills_for_memory_is_told_from_one_that_is_killed(stub, small_group):
    greedy = f"open({str(small_group)!r}, 'w').write(str(os.getpid())); return len(bytearray(b'x') * (1 << 30))"
    report = verify(stub(fault=greedy), None, CHECKS)
    assert {**PASSED, "build_facts": ("inconclusive", "E_OOM_KILLED")} == said(report)


def test_a_worker_that_cannot_be_killed_is_left_behind():
    assert ("E_UNKILLABLE", "fail") == (decode(None).code, decode(None).outcome)


@pytest.fixture
def wedged(tmp_path) -> Iterator[Path]:
    """A folder that no one who touches it leaves alive, until the test is over."""
    (folder := tmp_path / "wedged").mkdir()
    argv = [sys.executable, Path(__file__).parent / "wedge.py", folder]
    server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if server.stdout.readline() != "ready\n":
        server.communicate()
        pytest.skip("mounting a FUSE file system needs root and /dev/fuse")
    yield folder
    server.communicate("")


def test_a_worker_that_hangs_in_the_kernel_is_left_behind_and_said(stub, wedged):
    began = time.monotonic()
    report = verify(stub(fault=f"os.stat({str(wedged / 'x')!r})"), None, CHECKS, slack=0.1)
    result = next(r for r in report.results if r.check == "build_facts")
    assert {**PASSED, "build_facts": ("fail", "E_UNKILLABLE")} == said(report)
    assert "survives SIGKILL in state D" in result.detail
    assert time.monotonic() - began < 60
