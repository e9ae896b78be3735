"""Hold a wheel resolver to what conda provides, by stand-ins: wheels of the same name and version, without content.

A version pin alone would not do: the resolver would still follow the dependencies of the package's own wheel, and
torch's wheel asks for gigabytes of CUDA libraries that the conda package brings along. A stand-in depends on nothing,
and what other wheels ask of its version is still checked.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envforge.model import Locked

# Where conda's name of a distribution is not PyPI's.
PYPI_NAMES = {
    "pytorch": "torch",
    "matplotlib-base": "matplotlib",
    "py-opencv": "opencv-python",
    "msgpack-python": "msgpack",
    "pytables": "tables",
    "py-xgboost": "xgboost",
}
NOT_DISTRIBUTIONS = {"python", "python-abi"}
EPOCH = (1980, 1, 1, 0, 0, 0)


def python_pins(conda: tuple[Locked, ...]) -> dict[str, str]:
    """Give PyPI name and version of every Python distribution among conda packages."""
    pins = {}
    for each in conda:
        name = canonicalize_name(PYPI_NAMES.get(each.name, each.name))
        if _is_distribution(each) and name not in NOT_DISTRIBUTIONS and _is_version(each.version):
            pins[name] = each.version
    return dict(sorted(pins.items()))


def _is_distribution(package: Locked) -> bool:
    return package.noarch == "python" or bool(package.needs & {"python", "python_abi"})


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def write_stand_ins(pins: Mapping[str, str], folder: Path) -> str:
    """Write a stand-in per pin, unless it is there, and give the constraints that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    return "".join(f"{name} @ {_stand_in(name, version, folder).as_uri()}\n" for name, version in pins.items())


def _stand_in(name: str, version: str, folder: Path) -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    wheel, beside = folder / f"{stem}-py3-none-any.whl", folder / f".{stem}.{os.getpid()}"
    if wheel.exists():
        return wheel
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: envforge\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(beside, "w") as archive:
        for each, text in texts.items():
            archive.writestr(zipfile.ZipInfo(f"{stem}.dist-info/{each}", EPOCH), text)
    return beside.replace(wheel)
