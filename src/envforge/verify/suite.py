"""Verify an environment: pick the checks, put one worker on each device, gather what they say."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envforge.model import CheckResult, Driver, Emit, Machine, Progress, SmokeReport
from envforge.verify.follow import IMPORT, Follower, Sink, Target
from envforge.verify.judge import judge
from envforge.verify.registry import Check, floors, required, select

PLAIN_KINDS = ("cpu", "mps")
IN_BUS_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def verify(  # noqa: PLR0913
    python: Path,
    machine: Machine | None,
    checks: str | tuple[str, ...] = "quick",
    *,
    prefix: Path | None = None,
    expect: Mapping[str, str] | None = None,
    require: tuple[str, ...] = (),
    devices: tuple[str, ...] | None = None,
    variables: tuple[tuple[str, str], ...] = (),
    deadline_s: float | None = None,
    slack: float = 1.0,
    emit: Emit = lambda progress: None,
) -> SmokeReport:
    """Run checks with the interpreter ``python`` and report; never imports torch here, never waits without end.

    ``expect`` is what the lock says of the build: ``python``, ``torch``, ``cuda`` (``none`` for a CPU build),
    ``build`` (the variant), ``sass`` (arch flags, blank-separated). ``require`` names checks or features whose skip
    is a failure. ``devices`` are ``cpu``, ``mps``, indexes or UUIDs of GPUs and MIG instances; None is every GPU that
    torch sees, else the CPU. ``slack`` stretches every check's limit (slow file systems, emulators).
    A bad environment is a result; raises UsageError for an unknown check.
    """
    chosen = tuple(replace(check, limit_s=check.limit_s * slack) for check in select(checks, require))
    told = _order(machine, prefix, expect or {}, require, devices)
    suite = _Suite(_absolute(python), told, emit)
    suite.environ = {**os.environ, **suite.environ, **dict(variables)}
    suite.required = required(require)
    suite.until = time.monotonic() + deadline_s if deadline_s is not None else float("inf")
    suite.run(chosen, devices)
    order = {check.name: place for place, check in enumerate(chosen)}
    results = sorted(suite.results, key=lambda result: order[result.check])
    gpus = _gpus(results, machine) if suite.kind == "cuda" or told["want_cuda"] else ()
    driver = machine.driver if machine and gpus else None
    return SmokeReport(
        python=str(suite.hello.get("python") or python),
        torch=suite.hello.get("torch"),
        cuda=suite.hello.get("cuda"),
        machine=machine.name if machine else platform.node(),
        results=tuple(results),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        devices=gpus or _plain(suite.kind, machine),
        driver=str(driver.version) if isinstance(driver, Driver) else None,
    )


def _gpus(results: Iterable[CheckResult], machine: Machine | None) -> tuple[str, ...]:
    """Name the GPUs that answered; where none did, those that were there to be used."""
    seen = tuple(str(each.measured["name"]) for each in results if "name" in each.measured and each.device)
    return seen or tuple(gpu.name or "GPU" for gpu in (machine.gpus or () if machine else ()))


def _plain(kind: str | None, machine: Machine | None) -> tuple[str, ...]:
    """Name what stood in for a GPU; nothing where no device was reached."""
    if kind != "cpu":
        return (kind,) if kind else ()
    return ((machine.cpu if machine else None) or "cpu",)


def _absolute(python: Path) -> Path:
    """A virtual environment's python is a link, and must not be followed."""
    return Path(os.path.abspath(python))  # noqa: PTH100


def _order(
    machine: Machine | None,
    prefix: Path | None,
    expect: Mapping[str, str],
    require: tuple[str, ...],
    devices: tuple[str, ...] | None,
) -> dict[str, Any]:
    """Give what every worker is told besides its device and checks."""
    return {
        "prefix": str(prefix) if prefix else None,
        "cwd": _cwd(),
        "expect": dict(expect),
        "require": list(require),
        "want_cuda": _wants_cuda(machine, expect, devices),
        "floors": dict(floors()),
    }


def _cwd() -> str | None:
    """A working directory may have been removed under our feet."""
    try:
        return str(Path.cwd())
    except OSError:
        return None


def _wants_cuda(machine: Machine | None, expect: Mapping[str, str], devices: tuple[str, ...] | None) -> bool:
    """Say whether a run on the CPU would be a silent failure: by the devices, else the lock, else the machine."""
    if devices is not None:
        return any(device not in PLAIN_KINDS for device in devices)
    if "cuda" in expect:
        return expect["cuda"] not in ("", "none")
    return bool(machine and machine.gpus)


class _Suite:
    """One call of `verify`."""

    def __init__(self, python: Path, order: dict[str, Any], emit: Emit) -> None:
        self.python, self.order, self.emit = python, order, emit
        self.environ: dict[str, str] = {"OMP_NUM_THREADS": "1"}
        if not {"CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES"}.intersection(os.environ):
            self.environ |= IN_BUS_ORDER
        self.required: frozenset[str] = frozenset()
        self.until = float("inf")
        self.results: list[CheckResult] = []
        self.hello: dict[str, Any] = {}
        self.kind: str | None = None
        self.lock = threading.Lock()

    def run(self, chosen: tuple[Check, ...], devices: tuple[str, ...] | None) -> None:
        """Host and device checks on the first device, device checks on the others at once, then alone and group."""
        importing = next(check for check in chosen if check.name == IMPORT)
        rest = [check for check in chosen if check.name != IMPORT]
        first, *others = [self._target(device) for device in devices or ("auto",)]
        plain = tuple(check for check in rest if check.scope in ("host", "device"))
        leader = self._follow(first, importing, plain, self.take)
        self.hello, self.kind = leader.hello, leader.device.get("kind")
        self._skip_the_rest(leader, rest)
        if not leader.imported:
            return
        others = others or ([] if devices else self._further(leader))
        per_device = tuple(check for check in rest if check.scope == "device")
        self._at_once(others, importing, per_device)
        usable, cards = self._usable(), [device for device in devices or () if device not in PLAIN_KINDS]
        together = replace(leader.target, env=self._seeing(",".join(map(_index, cards)))) if cards else leader.target
        for check in rest:
            if check.scope in ("alone", "group"):
                target = together if check.scope == "group" else leader.target
                self._on_its_own(check, leader, target, importing, usable)

    def take(self, result: CheckResult) -> None:
        """Keep a result; a skip of a required check is a failure, and a rate is held against the data sheet."""
        result = judge(result)
        if result.outcome == "skip" and result.check in self.required:
            result = _required_but_skipped(result)
        with self.lock:
            self.results.append(result)

    def notice(self, check: str, device: str | None) -> None:
        """Show which check runs now."""
        with self.lock:
            self.emit(Progress(phase="verify", subject=" · ".join(filter(None, (check, device)))))

    def _target(self, device: str) -> Target:
        if device == "auto":
            return Target(label=None, device="auto", env=self.environ)
        if device in PLAIN_KINDS:
            return Target(label=device, device=device, env=self.environ)
        return Target(label=_label(device), device="cuda", env=self._seeing(_index(device)))

    def _seeing(self, devices: str) -> dict[str, str]:
        """Give the environment of a worker that sees these GPUs only; an index counts as NVML counts."""
        return {**IN_BUS_ORDER, **self.environ, "CUDA_VISIBLE_DEVICES": devices}

    def _follow(self, target: Target, importing: Check, checks: tuple[Check, ...], sink: Sink) -> Follower:
        follower = Follower(self.python, target, self.order, sink, self.notice, self.until)
        follower.run(importing, checks)
        return follower

    def _further(self, leader: Follower) -> list[Target]:
        """Pin each further GPU by what the user's CUDA_VISIBLE_DEVICES calls it, else by its UUID."""
        visible = [word for word in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if word.strip()]
        return [self._pinned(card, visible) for card in leader.device.get("devices", [])[1:]]

    def _pinned(self, card: Mapping[str, Any], visible: list[str]) -> Target:
        index, uuid = int(card["index"]), str(card["uuid"])
        uuid = uuid if uuid.startswith(("GPU-", "MIG-")) or not uuid else f"GPU-{uuid}"
        name = visible[index] if index < len(visible) else uuid or str(index)
        return Target(label=f"cuda:{index}", device="cuda", env={**self.environ, "CUDA_VISIBLE_DEVICES": name})

    def _at_once(self, targets: Iterable[Target], importing: Check, checks: tuple[Check, ...]) -> None:
        sink = _without_good_imports(self.take)
        followers = [Follower(self.python, target, self.order, sink, self.notice, self.until) for target in targets]
        threads = [threading.Thread(target=each.run, args=(importing, checks), daemon=True) for each in followers]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            for each in followers:
                each.abandon()
            raise

    def _on_its_own(self, check: Check, leader: Follower, target: Target, importing: Check, usable: bool) -> None:
        """Run one check in a fresh worker; what is certain to be skipped is not started."""
        kinds, kind = check.needs.get("kinds"), leader.device.get("kind")
        if not usable or (kinds and kind not in kinds):
            code, text = ("S_KIND", f"needs {' or '.join(kinds)}, this is {kind}") if usable and kinds else NO_DEVICE
            self.take(
                CheckResult(check=check.name, device=leader.label, outcome="skip", took_s=0.0, code=code, detail=text)
            )
            return
        self._follow(target, importing, (check,), _without_good_imports(self.take))

    def _usable(self) -> bool:
        return any(result.check == "device_init" and result.outcome == "pass" for result in self.results)

    def _skip_the_rest(self, leader: Follower, rest: Iterable[Check]) -> None:
        """Without torch nothing else can be tried."""
        if leader.imported:
            return
        for check in rest:
            if check.scope in ("alone", "group"):
                text = leader.why
                self.take(
                    CheckResult(
                        check=check.name, device=None, outcome="skip", took_s=0.0, code="S_NO_TORCH", detail=text
                    )
                )


NO_DEVICE = ("S_NO_DEVICE", "the device could not be used")


def _required_but_skipped(result: CheckResult) -> CheckResult:
    return CheckResult(
        check=result.check,
        device=result.device,
        outcome="fail",
        took_s=result.took_s,
        detail=f"required, but skipped: {result.detail}",
        code="E_REQUIRED",
        measured=result.measured,
    )


def _without_good_imports(sink: Sink) -> Sink:
    """One good import is enough to report."""
    return lambda result: None if result.check == IMPORT and result.outcome == "pass" else sink(result)


def _label(device: str) -> str:
    return f"cuda:{device}" if device.isdecimal() else device


def _index(device: str) -> str:
    return device.removeprefix("cuda:")
