"""The machine: asked (`take_readings`), read from files (`read_machine`), put together (`assemble`)."""

from envforge.detect.assemble import assemble
from envforge.detect.interpreters import find_interpreters
from envforge.detect.machines import identify, read_machine, read_machines, read_recorded
from envforge.detect.readings import MACHINE_SOURCES, SOURCES, take_readings
from envforge.detect.record import record, write_recording
from envforge.detect.redact import private_words, redact

__all__ = [
    "MACHINE_SOURCES",
    "SOURCES",
    "assemble",
    "find_interpreters",
    "identify",
    "private_words",
    "read_machine",
    "read_machines",
    "read_recorded",
    "record",
    "redact",
    "take_readings",
    "write_recording",
]
