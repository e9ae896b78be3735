"""What a doctor looks at, what it knows, and the outcomes of one rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from envforge.model.base import value
from envforge.model.machine import Machine, Reading
from envforge.model.verifying import SmokeReport

Severity = Literal["blocker", "degraded", "advisory", "info"]
Certainty = Literal["certain", "likely", "possible"]
Place = Literal["host", "container", "environment"]
Verdict = Literal["healthy", "advisory", "degraded", "blocked", "undetermined"]
Group = Literal["build", "train", "multi-gpu", "container"]


@value
class Patient:
    """A machine, with what was seen inside one environment.

    ``environment`` is the ``env_probe`` of the recording format, where it was taken apart from the machine; it
    wins over the machine's own reading of that name.
    """

    machine: Machine
    environment: Mapping[str, Any] | None = None
    smoke: SmokeReport | None = None

    def reading(self, source: str) -> Reading | None:
        """Give the reading of this name; None when it was not probed."""
        if source == "env_probe" and self.environment is not None:
            return Reading(source=source, value=self.environment)
        return self.machine.reading(source)


@value
class Remedy:
    """One thing to do about a finding. It is printed, never run.

    ``safe`` says that ``run`` changes nothing that others use and can be undone; ``distro`` names the
    distributions that it is for (``os-release`` ids), none for all.
    """

    text: str
    run: str | None = None
    safe: bool = False
    distro: tuple[str, ...] = ()


@value
class Rule:
    """One failure mode as prose. ``says`` are sentences with ``{values}``: the first that can be filled is used.

    ``prints`` are patterns of the messages that programs and the driver print when this is the cause;
    ``rule_out_first`` are the rules whose finding explains this one.
    """

    id: str
    area: str
    title: str
    severity: Severity
    place: Place
    says: tuple[str, ...]
    why: str
    remedy: tuple[Remedy, ...] = ()
    references: tuple[str, ...] = ()
    rule_out_first: tuple[str, ...] = ()
    prints: tuple[str, ...] = ()
    certainty: Certainty = "likely"


@value
class Evidence:
    """What one sign saw: lines to show, how sure it makes, and the values that the rule's sentence needs.

    ``severity`` is for evidence that weighs less than its rule does at worst.
    """

    lines: tuple[str, ...]
    certainty: Certainty = "likely"
    values: Mapping[str, str] = field(default_factory=dict)
    severity: Severity | None = None


@value
class Finding:
    """A rule that applies to this patient; ``explains`` are the findings that follow from it."""

    id: str
    severity: Severity
    certainty: Certainty
    title: str
    says: str
    place: Place
    evidence: tuple[str, ...] = ()
    remedy: tuple[Remedy, ...] = ()
    references: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()


@value
class Skipped:
    """A rule that could not be asked: these readings are missing."""

    id: str
    missing: tuple[str, ...]


@value
class Crashed:
    """A rule that is broken; the patient may be well."""

    id: str
    error: str


@value
class Undetermined:
    """Something failed and no rule says why: the codes that were seen, and what to ask next."""

    codes: tuple[str, ...]
    questions: tuple[str, ...]


Answer = Finding | Skipped | Crashed | Undetermined
