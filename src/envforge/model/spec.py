"""What the user wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from packaging.specifiers import SpecifierSet

from envforge.model.base import value


class Versions(SpecifierSet):
    """A specifier set that is simply unequal to a word: packaging's own raises InvalidSpecifier for ``== "auto"``."""

    __slots__ = ()
    __hash__ = SpecifierSet.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpecifierSet) and SpecifierSet.__eq__(self, other)


@value
class Needs:
    """The hardware floor that the user states."""

    gpus: int | None = None
    memory_bytes: int | None = None
    capability: SpecifierSet | None = None


@value
class Attestations:
    """Whose signatures conda packages must bear: ``publisher`` may end in ``*``, ``issuer`` vouches for it."""

    conda: Literal["off", "warn", "require"] = "off"
    publisher: str | None = None
    issuer: str | None = None


@value
class Target:
    """Another machine that the lock must serve: a profile written inline, or a file (``path``, beside the spec)."""

    name: str
    profile: Mapping[str, Any] | None = None
    path: str | None = None


@value
class Spec:
    """What the user wants, as in the contract's ``envforge.spec/1``. ``gpu=None``: required where a GPU is."""

    name: str
    origin: str = "<spec>"
    python: SpecifierSet | None = None
    torch: SpecifierSet | None = None
    companions: tuple[str, ...] = ()
    cuda: Literal["auto", "none"] | SpecifierSet = "auto"
    gpu: Literal["required", "preferred", "none"] | None = None
    sources: tuple[str, ...] = ("conda-forge", "pytorch", "pypi")
    channels: tuple[str, ...] = ("conda-forge",)
    indexes: tuple[str, ...] = ("pypi",)
    find_links: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()
    toolkit: bool = False
    link_scripts: tuple[str, ...] = ()
    attestations: Attestations = Attestations()
    needs: Needs = Needs()
    targets: tuple[Target, ...] = ()
    checks: Literal["quick", "standard", "deep"] | tuple[str, ...] = "quick"
    variables: tuple[tuple[str, str], ...] = ()
    exclude_newer: str | None = None
    places: tuple[tuple[str, int, int], ...] = field(default=(), compare=False)

    def where(self, key: str) -> str:
        """Say where a key stands: ``vision.yaml:4``, or the file alone when it has no such line."""
        return next((f"{self.origin}:{line}" for name, line, _ in self.places if name == key), self.origin)
