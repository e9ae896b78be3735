"""`envforge schema`."""

from __future__ import annotations

from envforge.cli.common import Answer, Talk, command
from envforge.wire import to_json


@command(examples=("envforge schema > envforge.schema.json", "envforge schema --json | jq .data"))
def schema(talk: Talk) -> Answer:
    """Print the JSON Schema of specs, for editors and CI."""
    from envforge.spec import json_schema

    document = json_schema()
    return Answer(data=document, page=lambda: to_json(document) + "\n")
