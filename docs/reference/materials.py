"""Write the bill of materials of envforge itself (CycloneDX). Used by `generate.py`; the wheel carries it.

The wheel holds no code of others; what is asked for is told as it is asked for, since an installer picks the versions.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import envforge

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def bill() -> str:
    """Write the bill: the same bytes from the same project, so without a date and a serial number."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    own = f"pkg:pypi/{project['name']}@{envforge.__version__}"
    asked = [*map(Requirement, project["dependencies"])]
    optional = {extra: [*map(Requirement, texts)] for extra, texts in project.get("optional-dependencies", {}).items()}
    components = [component(each) for each in asked]
    components += [component(each, extra) for extra, texts in optional.items() for each in texts]
    root = {
        "type": "application",
        "bom-ref": own,
        "name": project["name"],
        "version": envforge.__version__,
        "description": project["description"],
        "licenses": [{"expression": project["license"]}],
        "purl": own,
    }
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [each["bom-ref"] for each in components]}],
    }
    return json.dumps(document, indent=2) + "\n"


def component(wanted: Requirement, extra: str | None = None) -> dict[str, Any]:
    """Tell one requirement; one of an extra is optional."""
    name = canonicalize_name(wanted.name)
    properties = [{"name": "envforge:requirement", "value": str(wanted)}]
    properties += [{"name": "envforge:extra", "value": extra}] if extra else []
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}" + (f"#{extra}" if extra else ""),
        "name": name,
        "scope": "optional" if extra else "required",
        "purl": f"pkg:pypi/{name}",
        "properties": properties,
    }
