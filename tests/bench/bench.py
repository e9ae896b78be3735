"""Measure envforge beside uv, on the same packages, in one run: ``nox -s bench``. Prints; asserts nothing.

Both get the same real packages: uv as wheels from a folder, envforge as the same wheels repacked in a conda channel
(plus a Python); so does rattler alone, which is the floor. Runs alternate, so that what else the machine does falls on
all. Cold means no cache of their own. What is made is kept until the end: ext4 hesitates over inodes just given back.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from statistics import median

from uv import find_uv_bin

from channel.wheelhouse import fetch_channel, fetch_wheels
from channel.wide import write_wide

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ["torch", "numpy"]
ENVFORGE = [sys.executable, "-m", "envforge"]
CLEAN = ("ENVFORGE_", "PIP_", "UV_", "CONDA_", "XDG_", "PYTHON")


class Bench:
    """A folder to work in, and what was measured: seconds by name."""

    def __init__(self, top: Path) -> None:
        self.top, self.channel, self.wheels = top, fetch_channel(), fetch_wheels()
        self.spec = top / "bench.yaml"
        sources = f"sources: [{self.channel.url!r}]\nchannels: [{self.channel.url!r}]\n"
        python = f'python: "{self.channel.python}"\ntorch: "2.13.0"\n'
        self.spec.write_text(f"name: bench\n{python}{sources}conda: [numpy]\n")
        self.seconds: dict[str, list[float]] = {}
        self.numbers = count()
        self.peaks: list[int] = []
        kept = {key: text for key, text in os.environ.items() if not key.startswith(CLEAN)}
        self.environ = {**kept, "HOME": str(top), "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}

    def time(self, name: str, *argvs: list[str], **environ: str) -> str:
        """Run programs one after another, take the time of all, give the last one's output.

        What earlier runs left to be written goes to the disk first, so that nobody waits for another's.
        """
        os.sync()
        began, done = time.perf_counter(), None
        for argv in argvs:
            done = subprocess.run(
                argv, capture_output=True, text=True, env={**self.environ, **environ}, cwd=self.top, check=False
            )
            if done.returncode:
                raise SystemExit(f"{' '.join(argv)} failed with {done.returncode}\n{done.stdout}{done.stderr}")
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        return done.stdout if done else ""

    def create(self, name: str, cache: str) -> None:
        """Make an environment from a lock-free start; the checks' time is told apart, since uv runs none."""
        prefix = self.top / f"made-{next(self.numbers)}"
        self.spec.with_name("bench.lock.yaml").unlink(missing_ok=True)
        argv = [*ENVFORGE, "create", str(self.spec), "--prefix", str(prefix), "--json", "--yes"]
        document = json.loads(self.time(f"{name}, checks and all", argv, ENVFORGE_CACHE_DIR=str(self.top / cache)))
        whole = self.seconds[f"{name}, checks and all"][-1]
        phases = document["data"]["took_s"]
        self.seconds.setdefault(name, []).append(whole - phases["verify"])
        for phase, seconds in phases.items():
            self.seconds.setdefault(f"{name}: {phase}", []).append(seconds)
        if "warm" in name:
            self.time("create, nothing to do", argv, ENVFORGE_CACHE_DIR=str(self.top / cache))

    def rattler(self, name: str, cache: str) -> None:
        """Have rattler alone make the same, from the cache that `create` filled."""
        script, prefix = REPOSITORY / "tests/bench/rattler_alone.py", self.top / f"made-{next(self.numbers)}"
        self.time(name, [sys.executable, str(script), self.channel.url, str(self.top / cache), str(prefix)])

    def uv(self, name: str, cache: str) -> None:
        """Make the same with uv."""
        venv = self.top / f"made-{next(self.numbers)}"
        uv, python = [find_uv_bin()], str(venv / "bin" / "python")
        places = ["--offline", "--no-index", "--find-links", str(self.wheels)]
        made = [*uv, "venv", "--quiet", "--python", sys.executable, str(venv)]
        filled = [*uv, "pip", "install", "--quiet", "--python", python, *places, *PACKAGES]
        self.time(name, made, filled, UV_CACHE_DIR=str(self.top / cache))

    def solve(self, url: str, name: str, cache: str) -> None:
        """Solve among 200,000 records with a cache of its own, which the second solve finds warm."""
        argv = [sys.executable, str(REPOSITORY / "tests/bench/solve_wide.py"), url, str(self.top / cache)]
        told = json.loads(subprocess.run(argv, capture_output=True, text=True, env=self.environ, check=True).stdout)
        self.seconds.setdefault(f"solve of 200,000 records, {name}", []).append(told["took_s"])
        self.peaks.append(told["peak_bytes"])

    def start(self, name: str, *words: str) -> None:
        """Take the time of a whole process."""
        self.time(name, [*ENVFORGE, *words])


@contextmanager
def wide_channel(top: Path) -> Iterator[str]:
    """Write the wide channel and serve it; a plain server, which answers 304 to who has it already."""
    write_wide(top / "wide")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(top / "wide"))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """A server that does not tell what it was asked."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def rounds(bench: Bench, wide: str, colds: int, warms: int, starts: int) -> Iterator[Callable[[], object]]:
    """Give the runs in order, alternating."""
    machine = str(REPOSITORY / "tests/machines/profiles/h100-550.54.yaml")
    spec = str(REPOSITORY / "envspecs/training.yaml")
    for number in range(colds):
        yield lambda cache=f"cold-{number}": bench.create("create, cold", cache)
        yield lambda cache=f"cold-uv-{number}": bench.uv("uv, cold", cache)
    for number in range(warms):
        yield lambda cache=f"wide-{number}": bench.solve(wide, "cold", cache)
        yield lambda cache=f"wide-{number}": bench.solve(wide, "warm", cache)
    for _ in range(warms):
        yield lambda: bench.create("create, warm", "cold-0")
        yield lambda: bench.rattler("rattler alone, warm", "cold-0")
        yield lambda: bench.uv("uv, warm", "cold-uv-0")
    for _ in range(starts):
        yield lambda: bench.time("python -c pass", [sys.executable, "-c", "pass"])
        yield lambda: bench.start("envforge --version", "--version")
        yield lambda: bench.start("envforge plan --offline", "plan", spec, "--offline", "--machine", machine)
        yield lambda: bench.start("envforge doctor", "doctor")


def report(seconds: dict[str, list[float]], peaks: list[int]) -> str:
    """Write medians with their spread, then the ratios, then what a wide channel takes."""
    lines = [f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs", ""]
    lines += [
        f"{name:<36} median {median(each):7.3f} s   {min(each):7.3f} - {max(each):7.3f}   n={len(each)}"
        for name, each in sorted(seconds.items())
    ]
    pairs = [
        ("create, warm", "uv, warm", "target: 1.5 x"),
        ("rattler alone, warm", "uv, warm", "what `create` cannot be below"),
        ("create, warm", "rattler alone, warm", "no target"),
        ("create, cold", "uv, cold", "target: 1.1 x"),
    ]
    lines += [""] + [
        f"{ours} is {median(seconds[ours]) / median(seconds[theirs]):.2f} x {theirs} ({remark})"
        for ours, theirs, remark in pairs
    ]
    lines += [f"doctor takes {1000 * median(seconds['envforge doctor']):.0f} ms (target: 400 ms)"]
    cold_s = median(seconds["solve of 200,000 records, cold"])
    lines += [f"a solve of 200,000 records takes {cold_s:.2f} s cold (target: 1 s)"]
    lines += [f"its worker has at most {max(peaks) / 2**20:.0f} MiB at once (target: 120)"]
    return "\n".join(lines)


def main() -> None:
    colds, warms, starts = (int(word) for word in (sys.argv[1:] or ["3", "7", "9"]))
    with tempfile.TemporaryDirectory(prefix="envforge-bench-") as top:
        bench = Bench(Path(top))
        with wide_channel(bench.top) as wide:
            for run in rounds(bench, wide, colds, warms, starts):
                run()
        print(report(bench.seconds, bench.peaks))


if __name__ == "__main__":
    main()
