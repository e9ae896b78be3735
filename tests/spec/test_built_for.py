"""What the names of extensions say they were compiled against."""

import pytest

from envforge.spec.built_for import BuiltFor, built_for, made_for


@pytest.mark.parametrize(
    ("text", "torch", "cuda"),
    [
        ("https://data.pyg.org/whl/torch-2.10.0+cu128.html", "2.10", "12.8"),
        ("https://pytorch-geometric.com/whl/torch-1.13.1%2Bcu117.html", "1.13", "11.7"),
        ("https://data.pyg.org/whl/torch-2.4.0+cpu.html", "2.4", "none"),
        ("https://download.openmmlab.com/mmcv/dist/cu117/torch1.13/index.html", "1.13", "11.7"),
        ("https://dl.fbaipublicfiles.com/pytorch3d/packaging/wheels/py38_cu117_pyt1131/download.html", "1.13", "11.7"),
        ("https://data.dgl.ai/wheels/torch-2.4/cu124/repo.html", "2.4", "12.4"),
        ("https://docs.gsplat.studio/whl/pt24cu118", "2.4", "11.8"),
        ("https://flashinfer.ai/whl/cu124/torch2.5", "2.5", "12.4"),
        ("pt210cu128", "2.10", "12.8"),
        ("pt113cu92", "1.13", "9.2"),
        ("cu122torch2.1cxx11abiFALSE", "2.1", "12"),
    ],
)
def test_torch_and_cuda_are_read_from_names(text, torch, cuda):
    found = built_for(text)
    assert (torch, cuda) == (found.torch, found.cuda)


@pytest.mark.parametrize(
    "text",
    [
        "https://download.pytorch.org/whl/cu118",
        "https://huggingface.github.io/autogptq-index/whl/cu118/",
        "cu12",
        "2.4",
    ],
)
def test_a_name_that_does_not_say_both_says_nothing(text):
    assert built_for(text) is None


def test_a_wheel_says_python_platform_and_abi_too():
    name = "attention_kernels-0.2.0+cu123torch2.5cxx11abiTRUE-cp39-abi3-manylinux_2_28_x86_64.whl"
    assert made_for(f"attention-kernels @ https://x.example/{name}#sha256=00") == BuiltFor(
        torch="2.5", cuda="12", cxx11_abi=True, python="3.9", later=True, subdir="linux-64"
    )


@pytest.mark.parametrize(
    ("requirement", "found"),
    [
        ("torch-scatter==2.1.2+pt24cu121", BuiltFor(torch="2.4", cuda="12.1")),
        ("torch-scatter>=2.1", None),
        ("torch-scatter", None),
        ("x @ https://x.example/torch-2.4-cu121.tar.gz", None),
        ("??", None),
    ],
)
def test_what_a_requirement_was_made_for(requirement, found):
    assert made_for(requirement) == found
