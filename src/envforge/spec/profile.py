"""The short form of a machine that people write by hand: its keys, and how one is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from envforge.model import value
from envforge.spec import words
from envforge.spec.complaints import Report, key_place, kind
from envforge.spec.shapes import Either, Key, Many, Null, Table, Text, Word
from envforge.wire import Node

MARKS = ("schema", "snapshot", "platform", "os_release", "kernel", "nvml")
SUBDIR = Text(what="a conda subdir", examples=("linux-64", "linux-aarch64"), pattern=r"^[a-z]+-[a-z0-9_]+$")
DOTTED = Text(what="a dotted number", parse=words.dotted, examples=("535.104.05",), pattern=r"^[0-9]+(\.[0-9]+)*$")
CAPABILITY = Text(what="a compute capability", parse=words.capability, examples=("8.6",))
MEMORY = Text(what="a size with its unit", parse=words.memory_bytes, examples=("24GiB", "80 GB"), quoted="{}GiB")
GPU_NAME = Text(what="a product name as NVML gives it", examples=("NVIDIA A100-SXM4-80GB",))
PATH = Text(what="the path of a machine's file", examples=("machines/laptop.yaml",))
DOTTED_OR_NONE = Either(options=(("text", replace(DOTTED, nearest=words.nothing)), ("empty", Null())))

GPU = Table(
    what="a GPU",
    keys=(
        Key(name="name", shape=GPU_NAME, says="Product name as NVML gives it."),
        Key(name="capability", shape=CAPABILITY, says="Compute capability.", elsewhere=("cc", "compute_capability")),
        Key(name="memory", shape=MEMORY, says="Memory of the card."),
    ),
)
PROFILE = Table(
    what="a machine's profile",
    keys=(
        Key(
            name="driver",
            shape=DOTTED_OR_NONE,
            says="NVIDIA driver, full version or branch; empty when there is none, left out when it is not known.",
            elsewhere=("driver_version", "driver-version"),
        ),
        Key(
            name="gpus",
            shape=Many(item=Either(options=(("text", GPU_NAME), ("a mapping", GPU))), what="GPUs"),
            says="The GPUs, one entry each; `[]` when there is none, left out when they are not known.",
            elsewhere=("gpu", "cards"),
        ),
        Key(name="subdir", shape=SUBDIR, says="conda subdir.", default="linux-64", elsewhere=("platform", "arch")),
        Key(
            name="glibc",
            shape=DOTTED_OR_NONE,
            says="Version of glibc; empty when there is none, left out when it is not known.",
            elsewhere=("libc",),
        ),
        Key(name="cuda", shape=DOTTED, says="Newest CUDA that the driver speaks, as nvidia-smi prints it."),
        Key(name="module", shape=Word(words=("open", "proprietary")), says="Flavour of the kernel module."),
        Key(name="os", shape=Text(what="the name of the system", examples=("ubuntu 24.04",)), says="Operating system."),
    ),
)


def read_profile(node: Node, path: str, report: Report) -> dict[str, Any]:
    """Read a profile: versions as text, ``gpus`` as names or mappings with ``memory`` in bytes.

    A key that is missing is not known; ``driver: None`` is a machine without one.
    """
    given = PROFILE.read(node, path, report)
    if given.get("driver") is None:
        for key in ("cuda", "module"):
            if key in given:
                hint = "add `driver`, as nvidia-smi prints it"
                report.add(key_place(node, key), f"`{key}` tells of a driver, and the profile names none", hint)
    for item in (node.entries or {})["gpus"].items or () if "gpus" in given else ():
        if item.entries is not None and not {"name", "capability"} & set(item.entries):
            report.add(item.where, "a GPU needs a `name` or a `capability`")
    return given


def is_recording(node: Node) -> bool:
    """Tell a recording of a machine from a profile by the keys that only it has."""
    return node.entries is not None and any(mark in node.entries for mark in MARKS)


@value
class MachineForm:
    """A machine as a target names it: a file, a profile or a recording; given as it was written."""

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        if kind(node) == "text":
            return PATH.read(node, path, report)
        if not is_recording(node):
            read_profile(node, path, report)
        return node.plain

    def schema(self) -> dict[str, Any]:
        recording = {"type": "object", "anyOf": [{"required": [mark]} for mark in MARKS]}
        return {"anyOf": [PATH.schema(), PROFILE.schema(), recording]}
