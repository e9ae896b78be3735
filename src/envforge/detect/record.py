"""Readings -> a recording: a machine's file that can be sent to somebody, and replayed anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from envforge.detect.machines import SCHEMA
from envforge.detect.redact import private_words, redact
from envforge.model import Reading
from envforge.wire import write_yaml


def record(readings: Iterable[Reading], private: tuple[str, ...] = ()) -> dict[str, Any]:
    """Give the recording as plain values, redacted. What could not be read stands under ``errors``, with the reason."""
    plain: dict[str, Any] = {"schema": SCHEMA}
    errors: dict[str, str] = {}
    for reading in redact(readings, private):
        if reading.error is not None:
            errors[reading.source] = reading.error
        if reading.error is None or reading.value is not None:
            plain[reading.source] = reading.value
    return plain | ({"errors": errors} if errors else {})


def write_recording(readings: Iterable[Reading], private: tuple[str, ...] | None = None) -> str:
    """Write a recording as YAML; `read_machine` gives an equal machine back.

    ``private`` are words to take out; when left out, this user's and this host's names.
    """
    return write_yaml(record(readings, private_words(os.environ) if private is None else private))
