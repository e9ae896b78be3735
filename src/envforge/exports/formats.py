"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable

from envforge.errors import UsageError
from envforge.exports.conda_files import conda_lock, environment_yml, explicit
from envforge.exports.containers import apptainer, dockerfile
from envforge.exports.pixi_lock import pixi_lock, pixi_lock_v6
from envforge.exports.sbom import sbom
from envforge.exports.subject import Exported, bared
from envforge.exports.wheel_files import pylock, requirements
from envforge.model import Section

FORMATS: dict[str, Callable[[str, Section], Exported]] = {
    "explicit": explicit,
    "environment-yml": environment_yml,
    "conda-lock": conda_lock,
    "pixi-lock": pixi_lock,
    "pixi-lock-v6": pixi_lock_v6,
    "pylock": pylock,
    "requirements": requirements,
    "sbom": sbom,
    "dockerfile": dockerfile,
    "apptainer": apptainer,
}


def export(name: str, section: Section, form: str) -> Exported:
    """Write one section in a format of ``FORMATS``: equal sections give equal bytes, and no credential is in them.

    Raises UsageError for a format that can carry no part of the section, and SpecError for text that is not plain.
    """
    if form not in FORMATS:
        raise UsageError(f"format `{form}` is not known", (), (f"there are {', '.join(FORMATS)}",))
    clean = bared(name, section)
    found = FORMATS[form](name, clean)
    if {each.url for each in clean.artefacts} == {each.url for each in section.artefacts}:
        return found
    said = "credentials and queries were taken out of the addresses: the tool that downloads needs its own login"
    return Exported(text=found.text, lost=(*found.lost, said))
