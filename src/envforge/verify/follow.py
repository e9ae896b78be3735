"""Follow one device's checks to the end: a crash costs one result and one restart, a hang one limit."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from envforge.model import CheckResult, Outcome, value
from envforge.verify.ending import Ending, decode
from envforge.verify.registry import Check, reported
from envforge.verify.worker import Worker

BETWEEN_S = 60.0
LEAVE_S = 10.0
MOST_LIMITS = 20  # a check on a crowded machine gets no more of its limits than this
TOO_OLD = 64
EXPECTED_EXITS = (0, 3, 75)
IMPORT = "import_torch"
Sink = Callable[[CheckResult], None]
Notice = Callable[[str, str | None], None]


@value
class Target:
    """One device to check: its label when it is known, what the worker is told, and the worker's environment."""

    label: str | None
    device: str
    env: Mapping[str, str] = field(default_factory=dict)


class Follower:
    """Runs checks on one target; ``hello`` and ``device`` are what its workers said of themselves.

    ``notice`` is told of each check that starts, and on which device; ``sink`` gets its result.
    """

    def __init__(
        self, python: Path, target: Target, order: Mapping[str, Any], sink: Sink, notice: Notice, until: float
    ) -> None:
        self.python, self.target, self.order, self.until = python, target, order, until
        self.sink, self.notice = sink, notice
        self.hello: dict[str, Any] = {}
        self.device: dict[str, Any] = {}
        self.imported: bool | None = None
        self.left: list[Check] = []
        self.current: Check | None = None
        self.began = self.deadline = self.limit_s = self.in_line_s = 0.0
        self.heard, self.why = False, "torch does not import"
        self.worker: Worker | None = None

    @property
    def label(self) -> str | None:
        """The device's name in results: as asked for, else what the worker stands on."""
        kind = self.device.get("kind")
        return self.target.label or ("cuda:0" if kind == "cuda" else kind)

    def run(self, importing: Check, checks: tuple[Check, ...]) -> None:
        """Give every check a result."""
        self.left = list(checks)
        while True:
            before = len(self.left)
            self._one_worker(importing)
            if self.imported and before and len(self.left) == before:
                self._end("fail", "E_EXIT", "the worker left before this check")
            if not self.imported:
                self._give_up("skip", "S_NO_TORCH", self.why)
            if time.monotonic() >= self.until:
                self._give_up("inconclusive", "E_DEADLINE", "not run: the suite's time was over")
            if not self.left:
                return

    def abandon(self) -> None:
        """Kill what runs and start nothing more; for an interrupted suite."""
        self.until = self.deadline = 0.0
        if (worker := self.worker) is not None:
            worker.kill()

    def _one_worker(self, importing: Check) -> None:
        self.current, self.worker = importing, None
        self._start_clock(importing.limit_s)
        told = [_told(check) for check in self.left]
        order = {**self.order, "device": self.target.device, "checks": told, IMPORT: _told(importing)}
        try:
            worker = self.worker = Worker(self.python, order, self.target.env)
        except OSError as error:
            self._end("inconclusive", "E_NO_PYTHON", f"`{self.python}` cannot be started: {error.strerror}")
            return
        try:
            self._listen(worker)
        finally:
            worker.close()

    def _listen(self, worker: Worker) -> None:
        while True:
            try:
                event = worker.next_event(self.deadline)
            except TimeoutError:
                if self._was_crowded_out(worker):
                    continue
                self._timed_out(worker)
                return
            if event is None:
                self._ended(worker)
                return
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        self.heard, kind = True, event["event"]
        if kind == "start":
            self.current = next((check for check in self.left if check.name == event["check"]), self.current)
            self._start_clock(float(event["limit_s"]))
            self.notice(event["check"], self.label)
        elif kind == "result":
            self._take_result(event)
        elif kind in ("hello", "device"):
            setattr(self, kind, event)

    def _take_result(self, event: dict[str, Any]) -> None:
        name, first = event["check"], self.imported is None
        check = next((check for check in self.left if check.name == name), self.current)
        if event.get("kind"):
            self.device = {"kind": event["kind"], **self.device}
        if name == IMPORT:
            self.imported = event["outcome"] == "pass"
        if name != IMPORT or first or not self.imported:
            self._say(check, name, event)
        self.left = [other for other in self.left if other.name != name]
        self.current = None
        self._start_clock(BETWEEN_S)

    def _say(self, check: Check | None, name: str, event: Mapping[str, Any]) -> None:
        host = check is None or check.scope == "host"
        result = CheckResult(
            check=name,
            device=None if host else self.label,
            outcome=event["outcome"],
            code=reported(event["code"]),
            took_s=round(float(event["took_s"]), 3),
            detail=event["detail"],
            measured=event["measured"],
        )
        self.sink(result)

    def _end(self, outcome: Outcome, code: str, detail: str, measured: Mapping[str, Any] | None = None) -> None:
        """Give the check that ran (or the next one) its result, from outside."""
        check = self.current or (self.left[0] if self.left else None)
        if check is None:
            return
        self.why = "no Python answers" if code == "E_NO_PYTHON" else self.why
        took_s = time.monotonic() - self.began
        event = {"outcome": outcome, "code": code, "detail": detail, "took_s": took_s, "measured": measured or {}}
        self.left = [other for other in self.left if other.name != check.name]
        self.current = None
        self._say(check, check.name, event)
        if check.name == IMPORT:
            self.imported = False
        if check.name == "device_init" or code == "E_UNKILLABLE":
            self._skip_device()

    def _skip_device(self) -> None:
        """Leave a device alone that did not answer."""
        lost = [check for check in self.left if check.scope != "host"]
        self.left = [check for check in self.left if check.scope == "host"]
        for check in lost:
            self._say(check, check.name, _without_run("skip", "S_NO_DEVICE", "the device could not be used"))

    def _give_up(self, outcome: Outcome, code: str, detail: str) -> None:
        for check in self.left:
            self._say(check, check.name, _without_run(outcome, code, detail))
        self.left = []

    def _was_crowded_out(self, worker: Worker) -> bool:
        """Move the deadline by what other programs kept the worker from running; say whether that gave it time."""
        lost_s = min(worker.in_line_s() - self.in_line_s, (MOST_LIMITS - 1) * self.limit_s)
        self.deadline = min(self.until, self.began + self.limit_s + lost_s)
        return self.deadline > time.monotonic()

    def _timed_out(self, worker: Worker) -> None:
        state = worker.stop()
        waited = f"no answer within {time.monotonic() - self.began:.0f} s"
        measured = {"stack": worker.said()}
        if state is not None:
            self._end("fail", "E_UNKILLABLE", f"{waited}; left behind, survives SIGKILL in state {state}", measured)
        elif time.monotonic() >= self.until:
            self._end("inconclusive", "E_DEADLINE", "stopped: the suite's time was over", measured)
        else:
            self._end("fail", "E_TIMEOUT", waited, measured)

    def _ended(self, worker: Worker) -> None:
        returncode = worker.wait(LEAVE_S)
        if returncode is None:
            worker.stop()
            returncode = worker.wait(0.0)
        if returncode in EXPECTED_EXITS and self.current is None:
            return
        if not self.heard and (returncode or 0) >= 0:
            ending = _not_a_python(self.python, returncode, worker.said())
        else:
            ending = decode(returncode, worker.oom_kills())
        self._end(ending.outcome, ending.code, ending.text, {"said": worker.said(), "exit": returncode})

    def _start_clock(self, limit_s: float) -> None:
        self.began, self.limit_s = time.monotonic(), limit_s
        self.in_line_s = self.worker.in_line_s() if self.worker else 0.0
        self.deadline = min(self.until, self.began + limit_s)


def _not_a_python(python: Path, returncode: int | None, said: str) -> Ending:
    """Judge a program that ended without a word on the pipe."""
    lines = said.splitlines() or [f"exit code {returncode}"]
    why = lines[-1] if re.match(r"\w*(Error|Exception)\b", lines[-1]) else lines[0]
    text = f"`{python}` is not a Python 3.8 or newer: {'it is older' if returncode == TOO_OLD else why}"
    return Ending(code="E_NO_PYTHON", outcome="inconclusive", text=text)


def _told(check: Check) -> dict[str, Any]:
    """Give what a worker is told of a check."""
    names = ("name", "run", "scope", "limit_s", "needs", "settings", "breaks")
    return {name: getattr(check, name) for name in names}


def _without_run(outcome: Outcome, code: str, detail: str) -> dict[str, Any]:
    return {"outcome": outcome, "code": code, "detail": detail, "took_s": 0.0, "measured": {}}
