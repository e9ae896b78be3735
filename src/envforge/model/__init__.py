"""Every noun of envforge, frozen. Read these six pages first: base, machine, spec, choosing, locking, verifying.

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
from envforge.model.locking import Emit, Engine, Environment, Floor, Lock, Locked, Plan, Progress, Section, WheelEngine
from envforge.model.machine import Driver, Gpu, Interpreter, Machine, Reading
from envforge.model.spec import Needs, Spec, Target
from envforge.model.verifying import CheckResult, Outcome, SmokeReport

__all__ = [
    "ABSENT",
    "Absent",
    "Build",
    "Candidate",
    "CheckResult",
    "Choice",
    "ComputeCapability",
    "Conflict",
    "Constraint",
    "Cover",
    "Dotted",
    "Driver",
    "Emit",
    "Engine",
    "Environment",
    "Floor",
    "Gpu",
    "Interpreter",
    "Lock",
    "Locked",
    "Machine",
    "Needs",
    "Offer",
    "Outcome",
    "Owner",
    "Plan",
    "Progress",
    "Reading",
    "Reason",
    "Rejected",
    "RejectedRange",
    "Section",
    "SmokeReport",
    "Spec",
    "Target",
    "Warned",
    "WayOut",
    "WheelEngine",
    "value",
]
