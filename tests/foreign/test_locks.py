"""conda-lock.yml and pixi.lock."""

import pytest

from envforge.errors import SpecError, UsageError
from envforge.plan import OLD_CHANNEL

FORGE = "https://conda.anaconda.org/conda-forge"
CONDA_LOCK = f"""\
version: 1
metadata:
  channels: [{{url: conda-forge, used_env_vars: []}}]
  platforms: [linux-64, osx-arm64]
package:
- {{name: python, version: 3.11.4, manager: conda, platform: linux-64, dependencies: {{}}, url: "{FORGE}/linux-64/python-3.11.4-h1_0_cpython.conda"}}
- {{name: pytorch, version: 2.0.0, manager: conda, platform: linux-64, dependencies: {{python: "", numpy: ""}}, url: "{FORGE}/linux-64/pytorch-2.0.0-cuda112py311h1_200.conda"}}
- {{name: numpy, version: 1.24.3, manager: conda, platform: linux-64, dependencies: {{python: ""}}, url: "{FORGE}/linux-64/numpy-1.24.3-py311h1_0.conda"}}
- {{name: zarr, version: 2.15.0, manager: conda, platform: linux-64, dependencies: {{numpy: ""}}, url: "{FORGE}/noarch/zarr-2.15.0-pyhd8ed1ab_0.conda"}}
- {{name: einops, version: 0.6.1, manager: pip, platform: linux-64, dependencies: {{}}, url: "https://example/einops-0.6.1-py3-none-any.whl"}}
- {{name: pytorch, version: 2.0.0, manager: conda, platform: osx-arm64, dependencies: {{}}, url: "{FORGE}/osx-arm64/pytorch-2.0.0-cpu_py311h1_0.conda"}}
"""


def pixi_lock(version: int) -> str:
    """Write one environment as each version of the format says it."""
    head = "platforms:\n- name: p1\n  subdir: linux-64\n  virtual-packages:\n  - __cuda=12.9\n" if version == 7 else ""
    platform = "p1" if version == 7 else "linux-64"
    torch = "https://conda.anaconda.org/pytorch/linux-64/pytorch-2.5.1-py3.11_cuda12.4_cudnn9.1.0_0.tar.bz2"
    python = f"{FORGE}/linux-64/python-3.11.9-h1_0_cpython.conda"
    wheel = "https://example/timm-1.0.3-py3-none-any.whl"
    key = {
        4: "kind: conda\n  name: pytorch\n  version: 2.5.1\n  url",
        5: "kind: conda\n  name: pytorch\n  version: 2.5.1\n  url",
    }
    conda = key.get(version, "conda")
    pypi = (
        "kind: pypi\n  name: timm\n  version: 1.0.3\n  url" if version < 6 else "name: timm\n  version: 1.0.3\n  pypi"
    )
    return f"""\
version: {version}
{head}environments:
  default:
    channels:
    - url: https://conda.anaconda.org/pytorch/
    - url: {FORGE}/
    packages:
      {platform}:
      - conda: {torch}
      - conda: {python}
      - pypi: {wheel}
packages:
- {conda}: {torch}
  depends:
  - python >=3.11,<3.12.0a0
- {conda.replace("pytorch", "python").replace("2.5.1", "3.11.9")}: {python}
  depends: []
- {pypi}: {wheel}
  requires_dist:
  - torch
"""


def test_a_conda_lock_gives_torch_python_and_its_roots(imported):
    spec = imported(CONDA_LOCK, "conda-lock.yml").spec
    assert (str(spec.torch), str(spec.cuda), str(spec.python)) == ("==2.0.0", "==11.2.*", "==3.11.*")
    assert (spec.conda, spec.wheels, spec.sources) == (("zarr >=2.15.0",), ("einops>=0.6.1",), ("conda-forge",))


def test_what_a_lock_cannot_say_is_said(imported):
    left = [each.text for each in imported(CONDA_LOCK, "conda-lock.yml").left_out]
    assert left == [
        "1 packages that others need are solved anew",
        "platforms osx-arm64: name the machines under `targets`",
    ]


@pytest.mark.parametrize("version", [4, 5, 6, 7])
def test_every_version_of_pixis_lock_is_read(imported, version):
    spec = imported(pixi_lock(version), "pixi.lock").spec
    assert (str(spec.torch), str(spec.cuda), str(spec.python)) == ("==2.5.1", "==12.4.*", "==3.11.*")
    assert (spec.sources, spec.wheels) == ((OLD_CHANNEL,), ("timm>=1.0.3",))


def test_of_two_platforms_for_one_subdir_that_with_cuda_is_taken(imported):
    torch = f"{FORGE}/linux-64/pytorch-2.8.0-{{}}_h1_0.conda"
    cpu, gpu = torch.format("cpu_mkl_py311"), torch.format("cuda129_mkl_py311")
    text = f"""\
version: 7
platforms:
- name: linux-64
- name: with-gpu
  subdir: linux-64
  virtual-packages: [__cuda=12.9]
environments:
  default:
    channels: [{{url: {FORGE}/}}]
    packages:
      linux-64: [{{conda: {cpu}}}]
      with-gpu: [{{conda: {gpu}}}]
packages: [{{conda: {cpu}}}, {{conda: {gpu}}}]
"""
    spec = imported(text, "pixi.lock").spec
    assert (str(spec.torch), str(spec.cuda)) == ("==2.8.0", "==12.9.*")


def test_an_environment_that_is_not_there_is_refused(imported):
    with pytest.raises(UsageError, match="no environment `gpu`"):
        imported(pixi_lock(6), "pixi.lock", environment="gpu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\n", "no lock of conda-lock or pixi"),
        ("package:\n- {name: x, platform: linux-64}\n", "has `name` and `version`"),
        ("environments: {default: {channels: []}}\npackages: []\n", "has no packages"),
        ("environments: {}\npackages: []\n", "has no environment"),
        ("environments:\n<<<<<<< ours\n", "not YAML"),
    ],
)
def test_a_broken_lock_is_refused(imported, text, said):
    with pytest.raises(SpecError, match=said):
        imported(text, "pixi.lock")
