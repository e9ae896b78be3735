"""envforge as a library: nouns and verbs with docstrings and types, and nothing imported before it is asked for."""

import doctest
import inspect
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import envforge
from envforge import errors, model, verbs
from patience import bare_start_s

HERE = Path(__file__).parent
NOUNS = [name for home in (model, errors) for name in home.__all__ if name[0].isupper()]


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", [envforge, verbs], ids=lambda module: module.__name__)
def test_what_docstrings_show_is_true(module):
    outcome = doctest.testmod(module)
    assert (0, True) == (outcome.failed, outcome.attempted > 0)


def test_importing_envforge_imports_nothing_else():
    code = "import sys, envforge; print([name for name in sys.modules if name.startswith('envforge.')])"
    assert "[]\n" == python(code)


def test_verbs_start_no_heavy_library():
    code = "import sys, envforge.verbs; print(sorted({'rattler','pynvml','rich','typer','yaml','psutil'} & set(sys.modules)))"
    assert "[]\n" == python(code)


def test_the_version_is_told_in_a_tenth_of_a_second():
    """Or, where Python itself is slow to start, in five of its starts."""

    def once_s():
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "envforge", "--version"], capture_output=True, check=True)
        return time.monotonic() - began

    starts = [(bare_start_s(), once_s()) for _ in range(10)]
    assert min(told_s for _, told_s in starts) < max(0.1, 5 * min(bare_s for bare_s, _ in starts))


def test_every_noun_can_be_had_from_the_top():
    assert [] == [name for name in NOUNS if getattr(envforge, name, None) is None]
    assert set(NOUNS) <= set(dir(envforge))


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module `envforge` has no `Machin`"):
        _ = envforge.Machin


def test_every_noun_and_verb_has_a_docstring_that_is_a_sentence():
    named = [(name, getattr(envforge, name)) for name in NOUNS] + [
        (name, getattr(verbs, name)) for name in verbs.__all__
    ]
    classes_and_functions = [(name, each) for name, each in named if inspect.isclass(each) or inspect.isfunction(each)]
    own = ((name, inspect.getdoc(each) or "") for name, each in classes_and_functions if not issubclass_of_error(each))
    assert [] == [name for name, text in own if not re.match(r"[A-Z].*\.", text.replace("\n", " "))]


def issubclass_of_error(each):
    return inspect.isclass(each) and issubclass(each, envforge.EnvforgeError) and each is not envforge.EnvforgeError


def test_every_verb_says_its_types():
    functions = [(name, each) for name in verbs.__all__ if inspect.isfunction(each := getattr(verbs, name))]
    missing = [
        f"{name}: {parameter.name}"
        for name, function in functions
        for parameter in inspect.signature(function).parameters.values()
        if parameter.annotation is inspect.Parameter.empty
    ]
    assert [] == missing + [name for name, each in functions if "return" not in each.__annotations__]


def test_a_program_uses_it():
    done = subprocess.run([sys.executable, HERE / "library_use.py"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"torch 2\.8\.\d+(\+\w+)? with CUDA 12\.\d\n", done.stdout)


def test_it_is_marked_as_typed():
    assert (Path(envforge.__file__).parent / "py.typed").is_file()
