"""What uv writes becomes one wheel per package: the one that an installer would take."""

from __future__ import annotations

import pytest

from envforge.engines.pylock import read_pylock
from envforge.errors import EngineFailed

HEAD = 'lock-version = "1.0"\ncreated-by = "uv"\n'


def package(*names: str) -> str:
    wheels = [f'{{ url = "https://example.org/{name}", hashes = {{ sha256 = "{"0" * 64}" }} }}' for name in names]
    return f'{HEAD}[[packages]]\nname = "it"\nversion = "1"\nwheels = [{", ".join(wheels)}]\n'


@pytest.mark.parametrize(
    ("taken", "beside"),
    [
        ("it-1-cp310-abi3-manylinux2014_x86_64.whl", "it-1-py3-none-any.whl"),
        (
            "it-1-cp313-cp313-manylinux_2_28_x86_64.whl",
            "it-1-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        ),
        ("it-1-cp313-cp313-manylinux2014_x86_64.whl", "it-1-cp310-abi3-manylinux_2_28_x86_64.whl"),
        ("it-1-cp313-cp313-macosx_12_0_arm64.whl", "it-1-cp313-cp313-macosx_11_0_arm64.whl"),
        ("it-1-2-py3-none-any.whl", "it-1-1-py3-none-any.whl"),
    ],
)
def test_of_several_wheels_that_fit_the_most_specific_is_locked(taken, beside):
    for names in ((taken, beside), (beside, taken)):
        (locked,) = read_pylock(package(*names))
        assert f"https://example.org/{taken}" == locked.url


def test_a_package_without_a_wheel_is_refused():
    with pytest.raises(EngineFailed, match="`it` has no wheel for this platform"):
        read_pylock(package())
