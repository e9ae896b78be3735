"""A CycloneDX 1.6 bill of materials (JSON). Without a time and with a serial number made of the content, so that the
same lock gives the same bytes. https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode
from uuid import NAMESPACE_URL, uuid5

from packaging.utils import canonicalize_name

from envforge.exports.subject import Exported, conda_of, losses, wheels_of
from envforge.model import Locked, Section
from envforge.wire import digest, to_json

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
ROOT = "environment"
BASE = "base-python"


def sbom(name: str, section: Section) -> Exported:
    """Write every artefact with its purl, sha256 and address, and what conda packages depend on."""
    conda, wheels = conda_of(section), wheels_of(section)
    ordered = (*sorted(conda, key=lambda each: each.name), *wheels)
    plain = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, digest((name, section)))}",
        "version": 1,
        "metadata": _metadata(name, section),
        "components": [*_base(section), *map(_component, ordered)],
        "dependencies": list(_dependencies(section, ordered)),
    }
    return Exported(text=to_json(plain) + "\n", lost=tuple(losses(section, conda=True, wheels=True, python=True)))


def _metadata(name: str, section: Section) -> dict[str, Any]:
    build, floor = section.candidate.build, section.floor
    said = {
        "target": section.target,
        "subdir": floor.subdir,
        "python": section.candidate.python,
        "torch": str(build.torch),
        "cuda": str(build.cuda or "none"),
        "least-driver": str(floor.driver or ""),
        "least-glibc": str(floor.glibc or ""),
    }
    return {
        "tools": {"components": [{"type": "application", "name": "envforge"}]},
        "component": {"type": "application", "bom-ref": ROOT, "name": name},
        "properties": [{"name": f"envforge:{key}", "value": text} for key, text in said.items() if text],
    }


def _base(section: Section) -> Iterator[dict[str, Any]]:
    """Give the Python that the environment stands on, when no package brings one."""
    if section.interpreter:
        version = str(section.interpreter.version)
        yield {"type": "platform", "bom-ref": BASE, "name": "python", "version": version}


def _component(artefact: Locked) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": purl(artefact),
        "name": artefact.name,
        "version": artefact.version,
        "hashes": [{"alg": "SHA-256", "content": artefact.sha256}],
        "purl": purl(artefact),
        "externalReferences": [{"type": "distribution", "url": artefact.url}],
    }


def purl(artefact: Locked) -> str:
    """Give the package URL. https://github.com/package-url/purl-spec"""
    version = quote(artefact.version, safe="")
    if artefact.kind == "wheel":
        return f"pkg:pypi/{canonicalize_name(artefact.name)}@{version}"
    channel, _, _ = artefact.url.rsplit("/", 2)
    kind = "conda" if artefact.url.endswith(".conda") else "tar.bz2"
    more = {"build": artefact.build, "channel": channel, "subdir": artefact.subdir, "type": kind}
    return f"pkg:conda/{quote(artefact.name)}@{version}?{urlencode(more, quote_via=quote, safe='')}"


def _dependencies(section: Section, ordered: tuple[Locked, ...]) -> Iterator[dict[str, Any]]:
    """Give the edges that the lock knows; a wheel's are not in it, so it has no entry, which means unknown."""
    refs = {each.name: purl(each) for each in ordered if each.kind == "conda"}
    base = [BASE] if section.interpreter else []
    yield {"ref": ROOT, "dependsOn": sorted([*base, *map(purl, ordered)])}
    for each in ordered:
        if each.kind == "conda":
            found = sorted(refs[name] for name in each.needs if name in refs and name != each.name)
            yield {"ref": purl(each), **({"dependsOn": found} if found else {})}
