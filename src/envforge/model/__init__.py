"""Every noun of envforge, frozen. Read first: base, machine, spec, choosing, locking, verifying, doctoring.

Values flow one way: detect -> resolve -> plan -> lock -> provision -> verify; ``doctor`` looks at the same
values. Units are in names. Everywhere ``None`` means "could not tell" (a `Reading` says why) and an empty
tuple means "looked, none there".
"""

from envforge.model.base import ABSENT, Absent, ComputeCapability, Dotted, value
from envforge.model.choosing import (
    Build,
    Candidate,
    Choice,
    Conflict,
    Constraint,
    Cover,
    Offer,
    Owner,
    Reason,
    Rejected,
    RejectedRange,
    Warned,
    WayOut,
)
from envforge.model.doctoring import (
    Answer,
    Certainty,
    Crashed,
    Evidence,
    Finding,
    Group,
    Patient,
    Place,
    Remedy,
    Rule,
    Severity,
    Skipped,
    Undetermined,
    Verdict,
)
from envforge.model.locking import Emit, Engine, Environment, Floor, Lock, Locked, Plan, Progress, Section, WheelEngine
from envforge.model.machine import Driver, Gpu, Interpreter, Machine, Reading
from envforge.model.spec import Needs, Spec, Target
from envforge.model.verifying import CheckResult, Outcome, SmokeReport

__all__ = [
    "ABSENT",
    "Absent",
    "Answer",
    "Build",
    "Candidate",
    "Certainty",
    "CheckResult",
    "Choice",
    "ComputeCapability",
    "Conflict",
    "Constraint",
    "Cover",
    "Crashed",
    "Dotted",
    "Driver",
    "Emit",
    "Engine",
    "Environment",
    "Evidence",
    "Finding",
    "Floor",
    "Gpu",
    "Group",
    "Interpreter",
    "Lock",
    "Locked",
    "Machine",
    "Needs",
    "Offer",
    "Outcome",
    "Owner",
    "Patient",
    "Place",
    "Plan",
    "Progress",
    "Reading",
    "Reason",
    "Rejected",
    "RejectedRange",
    "Remedy",
    "Rule",
    "Section",
    "Severity",
    "Skipped",
    "SmokeReport",
    "Spec",
    "Target",
    "Undetermined",
    "Verdict",
    "Warned",
    "WayOut",
    "WheelEngine",
    "value",
]
