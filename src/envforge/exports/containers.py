"""Recipes of container images: a Dockerfile and an Apptainer definition, each whole in one file.

The driver comes from the host. NVIDIA's container runtime refuses to start where ``NVIDIA_REQUIRE_*`` does not hold:
https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
"""

from __future__ import annotations

from collections.abc import Iterator

from envforge.errors import UsageError
from envforge.exports.conda_files import explicit_line
from envforge.exports.subject import Exported, conda_of, losses, wheels_of
from envforge.exports.wheel_files import requirement_line
from envforge.model import Section

PREFIX = "/opt/env"
MICROMAMBA = "docker.io/mambaorg/micromamba:latest"
BASE = "docker.io/library/debian:stable-slim"
UV = "ghcr.io/astral-sh/uv"
EXPLICIT = "/tmp/explicit.txt"  # noqa: S108 - inside the image, while it is built
REQUIREMENTS = "/tmp/requirements.txt"  # noqa: S108
END = "END_OF_LIST"


def dockerfile(name: str, section: Section) -> Exported:
    """Write a Dockerfile of two stages, so that neither caches nor tools are in the image."""
    lines = ["# syntax=docker/dockerfile:1", f"# {name}: torch {section.candidate.build.torch}", *_images(section)]
    lines += ["", f"FROM {_builder(section)} AS build", "USER root", *_docker_steps(section)]
    lines += ["", f"FROM {'${PYTHON}' if section.interpreter else '${BASE}'}"]
    lines += [f"COPY --from=build {PREFIX} {PREFIX}"]
    lines += [f'ENV {key}="{_docker_quoted(text)}"' for key, text in variables(section)]
    return Exported(text="\n".join(lines) + "\n", lost=_lost(section))


def _images(section: Section) -> Iterator[str]:
    if section.interpreter:
        yield f"ARG PYTHON={_python_image(section)}"
    else:
        yield f"ARG MICROMAMBA={MICROMAMBA}"
        yield f"ARG BASE={BASE}"
    if wheels_of(section):
        yield f"ARG UV={UV}:latest"
        yield "FROM ${UV} AS uv"


def _builder(section: Section) -> str:
    return "${PYTHON}" if section.interpreter else "${MICROMAMBA}"


def _python_image(section: Section) -> str:
    return f"docker.io/library/python:{section.candidate.python}-slim"


def _docker_steps(section: Section) -> Iterator[str]:
    if wheels_of(section):
        yield "COPY --from=uv /uv /usr/local/bin/uv"
    for path, lines in _lists(section):
        yield from (f'COPY <<"{END}" {path}', *lines, END)
    yield from (f"RUN {step}" for step in _steps(section))


def _lists(section: Section) -> Iterator[tuple[str, list[str]]]:
    """Give the files that the tools install from."""
    if conda := conda_of(section):
        yield EXPLICIT, ["@EXPLICIT", *map(explicit_line, conda)]
    if wheels := wheels_of(section):
        yield REQUIREMENTS, [requirement_line(each) for each in wheels]


def _steps(section: Section) -> Iterator[str]:
    """Give the commands that make the environment."""
    if section.interpreter:
        yield f"uv venv --no-project --python {section.candidate.python} {PREFIX}"
    if conda_of(section):
        yield f"micromamba create --yes --no-rc --prefix {PREFIX} --file {EXPLICIT}"
    if wheels_of(section):
        install = f"uv pip install --no-cache --no-deps --require-hashes --python {PREFIX}/bin/python"
        yield f"{install} --requirements {REQUIREMENTS}"


def variables(section: Section) -> tuple[tuple[str, str], ...]:
    """Give the variables of the image; the floor becomes what NVIDIA's container runtime asks of the host."""
    found = {"PATH": f"{PREFIX}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    found |= {"VIRTUAL_ENV": PREFIX} if section.interpreter else {"CONDA_PREFIX": PREFIX}
    if section.candidate.build.cuda is not None:
        found |= {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
        if section.floor.driver is not None:
            found["NVIDIA_REQUIRE_FLOOR"] = f"driver>={section.floor.driver}"
    return tuple((found | dict(section.variables)).items())


def _docker_quoted(text: str) -> str:
    for letter in ("\\", '"', "$"):
        text = text.replace(letter, f"\\{letter}")
    return text


def apptainer(name: str, section: Section) -> Exported:
    """Write an Apptainer definition; ``apptainer run --nv`` brings the driver."""
    wheels, lines = wheels_of(section), [f"# {name}: torch {section.candidate.build.torch}"]
    if wheels:
        lines += ["Bootstrap: docker", f"From: {UV}:debian-slim", "Stage: uv", ""]
    image = _python_image(section) if section.interpreter else MICROMAMBA
    lines += ["Bootstrap: docker", f"From: {image}", "Stage: build", ""]
    lines += ["%files from uv", "    /usr/local/bin/uv /usr/local/bin/uv", ""] if wheels else []
    lines += ["%post", "    set -eu", *_apptainer_steps(section), ""]
    lines += ["%environment", *(f"    export {key}={_shell_quoted(text)}" for key, text in variables(section)), ""]
    lines += ["%labels", f"    name {name}", f"    torch {section.candidate.build.torch}", ""]
    lines += ["%runscript", '    exec "$@"']
    return Exported(text="\n".join(lines) + "\n", lost=_lost(section))


def _apptainer_steps(section: Section) -> Iterator[str]:
    for path, lines in _lists(section):
        yield f"    cat > {path} <<'{END}'"
        yield from (*lines, END)
    yield from (f"    {step}" for step in _steps(section))
    yield f"    rm -f {' '.join(path for path, _ in _lists(section))}"


def _shell_quoted(text: str) -> str:
    quoted = text.replace("'", "'\\''")
    return f"'{quoted}'"


def _lost(section: Section) -> tuple[str, ...]:
    if not section.artefacts:
        raise UsageError("there is nothing to put into an image", (section.target,))
    return tuple(losses(section, conda=True, wheels=True, python=True, variables=True))
