"""Facts as they are written: one YAML file per subject, blocks of rows, each with a source, a date and a confidence.

A file is a mapping: ``sources`` names the documents, every other key is a block ``{about?, source, seen, confidence,
rows}``. What a block says of source, date and confidence holds for each of its rows that does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from envforge import wire

Row = Mapping[str, Any]
Part = Mapping[str, Any]

FILE_BYTES = 4 << 20
FILE_NODES = 200_000


def read_part(text: str, origin: str) -> Part:
    """Read one file of facts into plain values; dates become text. Raises SpecError with a place."""
    plain: Part = wire.to_plain(wire.read_yaml(text, origin, most_bytes=FILE_BYTES, most_nodes=FILE_NODES).plain)
    return plain


def blocks(part: Part) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every block of a file by name; the table of sources is none."""
    return ((name, block) for name, block in part.items() if name != "sources")


def rows(part: Part, name: str) -> tuple[Row, ...]:
    """Give the rows of a block, each with its own source, date and confidence; empty when there is no such block."""
    block = part.get(name)
    if block is None:
        return ()
    shared = {"source": block["source"], "seen": block["seen"], "confidence": block["confidence"]}
    return tuple({**shared, **row} for row in block["rows"])


def sources(row: Row) -> tuple[str, ...]:
    """Give the ids of the documents that a row was taken from."""
    source = row["source"]
    return (source,) if isinstance(source, str) else tuple(source)


def newest(part: Part) -> str:
    """Give the newest date on which anything in this file was seen, ``2026-11-20``; empty for no row at all."""
    return max((row["seen"] for name, _ in blocks(part) for row in rows(part, name)), default="")
