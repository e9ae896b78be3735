"""Markers (PEP 508), asked for the platform that files are imported for and one Python, not for the one that runs."""

from __future__ import annotations

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

PYTHON = "3.12"
LINUX = {
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
    "implementation_version": f"{PYTHON}.0",
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}


def here(requirement: str) -> bool:
    """Tell whether a requirement is one for Linux; what is no requirement (a match spec) is."""
    try:
        marker = Requirement(requirement).marker
    except InvalidRequirement:
        return True
    return holds_on_linux(str(marker)) if marker else True


def holds_on_linux(marker: str) -> bool:
    """Tell whether a marker holds on Linux; no marker does, and one that cannot be read or asked does too."""
    if not marker:
        return True
    try:
        return Marker(marker).evaluate(dict(LINUX))
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return True
