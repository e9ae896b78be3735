"""What is compiled against torch, and was installed with it, is imported: it loads, or the check says why not."""

import textwrap
from pathlib import Path

import pytest

from envforge.verify import verify
from verify.conftest import SITE

NMS = "raise RuntimeError('operator torchvision::nms does not exist')"


def companions(stub, **modules: str):
    python: Path = stub()
    for name, text in modules.items():
        (python.parent.parent / SITE / f"{name}.py").write_text(textwrap.dedent(text))
    report = verify(python, None, ("companions",), devices=("cpu",))
    return next(result for result in report.results if result.check == "companions")


@pytest.mark.parametrize(
    ("module", "code", "words"),
    [
        ({"torchvision": NMS}, "torchvision-torch-mismatch", "torchvision: RuntimeError: operator torchvision::nms"),
        ({"torchaudio": "raise OSError('undefined symbol: _ZN3c10')"}, "E_COMPANION", "torchaudio: OSError: undefined"),
        (
            {"xformers": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"},
            "E_COMPANION",
            "xformers: ended by signal 11",
        ),
    ],
)
def test_a_companion_that_does_not_load_is_named(stub, module, code, words):
    found = companions(stub, torchtext="__version__ = '0.18.0'", **module)
    assert ("fail", code, True) == (found.outcome, found.code, (found.detail or "").startswith(words))


def test_companions_that_load_give_their_versions(stub):
    found = companions(stub, torchvision="__version__ = '0.28.0+cpu'", flash_attn="print('hello'); __version__ = '2.8'")
    expected = {"torchvision": "0.28.0+cpu", "flash_attn": "2.8"}
    assert ("pass", expected) == (found.outcome, found.measured)


def test_an_environment_without_companions_has_none_to_fail(stub):
    found = companions(stub)
    assert ("skip", "S_MODULE") == (found.outcome, found.code)
