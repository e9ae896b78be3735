"""Memory and cores of the host that runs us."""

import os
from pathlib import Path

import pytest

from envforge.detect import assemble, take_readings
from envforge.detect.host import Host
from envforge.detect.memory import memory
from envforge.model import Reading


def test_memory_is_what_the_kernel_says():
    told = {
        line.split(":")[0]: int(line.split()[1]) << 10 for line in Path("/proc/meminfo").read_text().splitlines()[:3]
    }
    found = memory(Host())
    assert (told["MemTotal"], os.cpu_count()) == (found["total_bytes"], found["threads"])


@pytest.mark.parametrize(
    ("value", "bytes_"), [({"total_bytes": 8, "limit_bytes": 4}, 4), ({"total_bytes": 8}, 8), ({}, None), ("?", None)]
)
def test_a_containers_limit_is_what_programs_may_use(value, bytes_):
    assert bytes_ == assemble((Reading(source="memory", value=value),), "m").memory_bytes


def test_another_root_has_no_memory_of_its_own(tmp_path):
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (reading,) = take_readings({}, ("memory",), root=tmp_path)
    assert (None, "memory is asked of the running system only") == (reading.value, reading.error)
