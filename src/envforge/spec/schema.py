"""The JSON Schema of specs, made of the table that reads them."""

from __future__ import annotations

from typing import Any

from envforge.spec.table import SPEC


def json_schema() -> dict[str, Any]:
    """Give the schema (draft 2020-12) for editors and CI.

    It accepts every spec that `parse_spec` accepts; what only a program can see (contradictions, whether a version
    or a requirement reads) it leaves to `parse_spec`. Dates may stand unquoted in YAML; for a schema they are text.
    """
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:envforge:spec:1",
        "title": "envforge.spec/1",
    }
    return head | SPEC.schema()
