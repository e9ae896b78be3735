"""The smallest engines that really fill a prefix, and a lock for them: for tests of what happens around an engine."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version

from envforge.model import (
    Build,
    Candidate,
    Dotted,
    Emit,
    Floor,
    Interpreter,
    Lock,
    Locked,
    Plan,
    Progress,
    Section,
)
from envforge.provision import Engines

HERE = Interpreter(path=sys.executable, version=Dotted(".".join(map(str, sys.version_info[:3]))))
SITE = Path("lib/python3.11/site-packages")


def quiet(step: Progress) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class TinyConda:
    """Writes a few files per package and its record last, as the real ones do; ``before`` runs before each package."""

    name: str = "tiny"
    before: Callable[[Locked, Path], None] = field(default=lambda artefact, stage: None)
    files: int = 4
    pause_s: float = 0.0

    def lock(self, plan: Plan, emit: Emit, /) -> tuple[Locked, ...]:
        return ()

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        for artefact in artefacts:
            emit(Progress(phase="link", subject=artefact.name))
            self.before(artefact, stage)
            self._unpack(artefact, stage, final)

    def _unpack(self, artefact: Locked, stage: Path, final: Path) -> None:
        (stage / "share" / artefact.name).mkdir(parents=True, exist_ok=True)
        paths = [f"share/{artefact.name}/{number}.txt" for number in range(self.files)]
        for path in paths:
            (stage / path).write_text(str(final))
            time.sleep(self.pause_s)
        if artefact.name == "python":
            _put_python(stage)
            paths.append("bin/python")
        (stage / "conda-meta").mkdir(exist_ok=True)
        record = f"{artefact.name}-{artefact.version}-{artefact.build}.json"
        told = {"paths_data": {"paths": [{"_path": path, "path_type": "hardlink"} for path in paths]}}
        (stage / "conda-meta" / record).write_text(json.dumps(told))


@dataclass(frozen=True)
class TinyWheels:
    """Makes a base of one link and a dist-info directory per wheel."""

    name: str = "tiny-wheels"

    def lock(self, plan: Plan, conda: tuple[Locked, ...], emit: Emit, /) -> tuple[Locked, ...]:
        return ()

    def make_base(self, interpreter: Interpreter, stage: Path, final: Path, /) -> None:
        _put_python(stage)

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        for artefact in artefacts:
            (stage / SITE / f"{artefact.name.replace('-', '_')}-{artefact.version}.dist-info").mkdir(parents=True)


def _put_python(stage: Path) -> None:
    (stage / "bin").mkdir(parents=True, exist_ok=True)
    (stage / "bin" / "python").symlink_to(sys.executable)


def package(name: str, version: str = "1.0", size_bytes: int | None = 1000) -> Locked:
    url = f"file:///channel/noarch/{name}-{version}-0.conda"
    return Locked(
        name=name,
        version=version,
        kind="conda",
        url=url,
        sha256="0" * 64,
        build="0",
        subdir="noarch",
        size_bytes=size_bytes,
    )


def wheel(name: str, version: str = "1.0") -> Locked:
    return Locked(name=name, version=version, kind="wheel", url=f"file:///{name}.whl", sha256="0" * 64, size_bytes=1000)


def section(*artefacts: Locked, **changes: object) -> Section:
    build = Build(
        torch=Version("2.13.0"),
        variant="cpu",
        cuda=None,
        source="pypi",
        kind="wheel",
        subdir="linux-64",
        pythons=("3.11",),
    )
    return Section(
        target="here",
        floor=Floor(subdir="linux-64"),
        candidate=Candidate(python="3.11", build=build),
        artefacts=artefacts or (package("python", "3.11.7"), package("numpy", "2.4.6")),
        **changes,  # type: ignore[arg-type]
    )


def lock(*sections: Section) -> Lock:
    return Lock(name="demo", spec_digest="sha256:1", facts_digest="sha256:2", sections=sections)


def engines(conda: TinyConda | None = None) -> Engines:
    return Engines(conda=conda or TinyConda(), wheels=TinyWheels())
