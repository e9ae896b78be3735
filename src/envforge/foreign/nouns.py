"""What files of other tools are told in: packages as they were asked for, and what came of them."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from envforge.model import Spec, value


@value
class Remark:
    """One sentence about the file, and the place in it: ``environment.yml:7``, or the file where no line is known."""

    text: str
    where: str


@value
class Wanted:
    """One package that the file asks for. ``text`` is the match spec or PEP 508 requirement to pass on.

    ``version`` and ``build`` are as the file's own language writes them; ``channel`` a conda channel and ``index`` the
    URL of a wheel index that the file ties this package to.
    """

    kind: Literal["conda", "wheel"]
    name: str
    text: str
    version: str = ""
    build: str = ""
    channel: str | None = None
    index: str | None = None
    where: str = ""


@value
class Foreign:
    """A file of another tool, read but not yet translated.

    ``indexes`` are wheel indexes in the file's order, ``default_index`` the one in place of the public one;
    ``machine_cuda`` is the CUDA that the file expects drivers to speak (pixi's system requirements).
    """

    origin: str
    name: str
    wanted: tuple[Wanted, ...] = ()
    python: Wanted | None = None
    channels: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    default_index: str | None = None
    find_links: tuple[str, ...] = ()
    machine_cuda: Remark | None = None
    capability: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    exclude_newer: str | None = None
    left_out: tuple[Remark, ...] = ()
    taken: tuple[Remark, ...] = ()


@value
class Imported:
    """The spec that a foreign file amounts to, what was read out of it and how, and what could not be carried over."""

    spec: Spec
    taken: tuple[Remark, ...] = field(default=())
    left_out: tuple[Remark, ...] = field(default=())
