"""Machines from text: profiles that people write, recordings that `detect` wrote, and files of several of either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import PurePath
from typing import Any

from envforge.detect.assemble import assemble
from envforge.errors import SpecError
from envforge.facts import Facts
from envforge.model import ABSENT, Absent, ComputeCapability, Dotted, Driver, Gpu, Machine, Reading
from envforge.spec import is_recording, read_profile
from envforge.spec.complaints import Report, did_you_mean
from envforge.wire import Node, read_yaml

SCHEMA = "envforge.machine/1"
MOST_BYTES = 4 << 20
MOST_NODES = 50_000
ABOUT = frozenset({"schema", "errors"})


def read_machine(text: str, origin: str, facts: Facts) -> Machine:
    """Read one machine, a profile or a recording; its name is the stem of ``origin``.

    A profile's card is looked up by name for compute capability and memory. Raises SpecError with its places.
    """
    root = _read(text, origin)
    if _is_many(root):
        names = ", ".join(f"`{name}`" for name in root.entries or ())
        raise SpecError(f"the file holds several machines: {names}", (origin,), ("name one of them",))
    return _machine(root, PurePath(origin).stem, facts)


def read_machines(text: str, origin: str, facts: Facts) -> tuple[Machine, ...]:
    """Read one machine, or every machine of a mapping of names to machines."""
    root = _read(text, origin)
    if not _is_many(root):
        return (_machine(root, PurePath(origin).stem, facts),)
    return tuple(_machine(node, name, facts) for name, node in (root.entries or {}).items())


def _read(text: str, origin: str) -> Node:
    root = read_yaml(text, origin, most_bytes=MOST_BYTES, most_nodes=MOST_NODES)
    if root.entries is None:
        raise SpecError("a machine's file must be a mapping: a profile or a recording", (root.where,))
    return root


def _is_many(root: Node) -> bool:
    """Tell a mapping of machines by its values: each is a profile or a recording, and no key is one of theirs."""
    nodes = tuple((root.entries or {}).values())
    return bool(nodes) and not is_recording(root) and all(_looks_like_one(node) for node in nodes)


def _looks_like_one(node: Node) -> bool:
    return is_recording(node) or bool({"driver", "gpus", "subdir"} & set(node.entries or ()))


def _machine(node: Node, name: str, facts: Facts) -> Machine:
    return _recorded(node, name) if is_recording(node) else _profiled(node, name, facts)


def _recorded(node: Node, name: str) -> Machine:
    entries = node.entries or {}
    schema = entries.get("schema")
    if schema is not None and schema.plain != SCHEMA:
        hint = f"this version reads `{SCHEMA}`"
        raise SpecError(f"`{schema.text}` is not a recording that can be read", (schema.where,), (hint,))
    inner = entries.get("snapshot", node)
    if inner.entries is None:
        raise SpecError("`snapshot` must be a mapping of readings", (inner.where,))
    return assemble(_readings(inner.plain), name)


def read_recorded(plain: Mapping[str, Any], name: str) -> Machine:
    """Give the machine of a recording that came as plain values, as `record` gives them."""
    return assemble(_readings(plain), name)


def _readings(plain: Mapping[str, Any]) -> Iterator[Reading]:
    """Give one reading for each key; ``errors`` says why others, or parts of them, are missing."""
    told = plain.get("errors")
    errors = dict(told) if isinstance(told, Mapping) else {}
    for source, item in plain.items():
        if source not in ABOUT:
            yield Reading(source=source, value=_timeless(item), error=_text_or_none(errors.pop(source, None)))
    for source, error in errors.items():
        yield Reading(source=str(source), error=str(error))


def _text_or_none(item: Any) -> str | None:
    return None if item is None else str(item)


def _timeless(plain: Any) -> Any:
    """Give dates that YAML saw back as the text that they were."""
    if isinstance(plain, dict):
        return {key: _timeless(item) for key, item in plain.items()}
    if isinstance(plain, list):
        return [_timeless(item) for item in plain]
    return plain.isoformat() if isinstance(plain, date) else plain


def _profiled(node: Node, name: str, facts: Facts) -> Machine:
    """Make a machine of its short form. Without ``subdir`` it is linux-64, or linux-aarch64 for a Jetson."""
    report = Report()
    given = read_profile(node, "", report)
    report.close()
    gpus = tuple(_gpus(node, given, facts, report)) if "gpus" in given else None
    report.close()
    tegra = any(card.tegra for gpu in gpus or () if gpu.name and (card := facts.card(gpu.name)))
    subdir = given.get("subdir") or ("linux-aarch64" if tegra else "linux-64")
    driver = _driver(given)
    return Machine(
        name=name,
        subdir=subdir,
        driver=driver,
        cuda_version=driver.cuda_version if isinstance(driver, Driver) else driver,
        gpus=gpus,
        glibc=_glibc(given, subdir),
        os=given.get("os"),
        tegra=tegra,
    )


def identify(machine: Machine, facts: Facts) -> Machine:
    """Fill in what facts know of GPUs that no driver has told: compute capability and name, by PCI id or name."""
    return replace(machine, gpus=machine.gpus and tuple(_identified(gpu, facts) for gpu in machine.gpus))


def _identified(gpu: Gpu, facts: Facts) -> Gpu:
    if gpu.compute_capability is not None:
        return gpu
    device = (gpu.pci_id or "").rpartition(":")[2]
    card = (facts.cards.device(device) if device else None) or (facts.card(gpu.name) if gpu.name else None)
    if card is None:
        return gpu
    return replace(gpu, name=gpu.name or card.name, compute_capability=card.capability)


def _driver(given: dict[str, Any]) -> Driver | Absent | None:
    if "driver" not in given:
        return None
    if given["driver"] is None:
        return ABSENT
    cuda = given.get("cuda")
    return Driver(version=Dotted(given["driver"]), cuda_version=cuda and Dotted(cuda), module=given.get("module"))


def _glibc(given: dict[str, Any], subdir: str) -> Dotted | Absent | None:
    if given.get("glibc"):
        return Dotted(given["glibc"])
    return ABSENT if "glibc" in given or not subdir.startswith("linux-") else None


def _gpus(node: Node, given: dict[str, Any], facts: Facts, report: Report) -> Iterator[Gpu]:
    items = (node.entries or {})["gpus"].items or ()
    for index, (item, found) in enumerate(zip(items, given["gpus"], strict=True)):
        row: dict[str, Any] = {"name": found} if isinstance(found, str) else found
        gpu = Gpu(index=index, name=row.get("name"), compute_capability=None, memory_bytes=row.get("memory"))
        if "capability" in row:
            yield replace(gpu, compute_capability=ComputeCapability.parse(row["capability"]))
        else:
            yield _looked_up(gpu, item, facts, report)


def _looked_up(gpu: Gpu, item: Node, facts: Facts, report: Report) -> Gpu:
    card = facts.card(gpu.name or "")
    if card is None:
        hints = tuple(f"did you mean `{name}`?" for name in _meant(gpu.name or "", facts.cards.names))
        own = f'say what it can do: `{{name: {gpu.name}, capability: "..."}}`'
        report.add(item.where, f"no fact knows a GPU `{gpu.name}`", *hints, f"or {own}" if hints else own)
        return gpu
    return replace(gpu, compute_capability=card.capability, memory_bytes=gpu.memory_bytes or card.memory_bytes)


def _meant(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Give the shortest card whose name has all of these words, else the one of the closest name."""
    words, by_small = set(name.lower().split()), {each.lower(): each for each in known}
    if whole := [small for small in by_small if words and words <= set(small.split())]:
        return (by_small[min(whole, key=len)],)
    return tuple(by_small[hint.split("`")[1]] for hint in did_you_mean(name, tuple(by_small)))
