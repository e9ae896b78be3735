"""Write the page of the library: every verb and noun as the code has them. Used by `generate.py`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import envforge
from envforge import errors, model, verbs

FENCE = "```"
SHORT = 24


def library_page(note: str) -> str:
    """Write the page: how it begins, verbs in the order of the flow's rooms, then nouns by their pages."""
    lines = ["# Library", "", note, "", *prose(inspect.getdoc(envforge) or ""), ""]
    lines += ["## Verbs", "", "In `envforge.verbs`.", "", *prose(inspect.getdoc(verbs) or ""), ""]
    for name in verbs.__all__:
        lines += verb(name, getattr(verbs, name))
    lines += ["## Nouns", "", *prose(inspect.getdoc(model) or ""), ""]
    for name in model.__all__:
        if name[0].isupper():
            lines += noun(name, getattr(model, name))
    lines += ["## Errors", "", FENCE + "text", *tree(), FENCE, ""]
    return "\n".join(lines)


def prose(text: str) -> Iterator[str]:
    """Write a docstring as Markdown: doctests fenced, RST's double backticks made single."""
    inside = False
    for line in text.splitlines():
        example = line.startswith((">>> ", "... ")) or (inside and line.strip() != "")
        if example is not inside:
            yield FENCE + ("python" if example else "")
        inside = example
        yield line if example else line.replace("``", "`")
    if inside:
        yield FENCE


def verb(name: str, function: Any) -> list[str]:
    """Write one verb with its signature; a class as a noun."""
    if inspect.isclass(function):
        return noun(name, function)
    return [
        f"### {name}",
        "",
        FENCE + "python",
        signature(name, function),
        FENCE,
        "",
        *prose(inspect.getdoc(function) or ""),
        "",
    ]


def signature(name: str, function: Any) -> str:
    """Write a signature, one parameter a line where it is long; a long default is left out."""
    told = inspect.signature(function)
    short = [
        each.replace(default=Ellipsis) if len(repr(each.default)) > SHORT else each for each in told.parameters.values()
    ]
    text = f"{name}{told.replace(parameters=short)}".replace("Ellipsis", "...")
    text = re.sub(r"'([^']*)'(?=[,)=]| =|$)", r"\1", text) if "'" in text else text
    if len(text) <= 100:
        return text
    inner, _, result = text.partition("(")[2].rpartition(")")
    return f"{name}(\n" + "".join(f"    {each},\n" for each in parameters(inner)) + f"){result}"


def parameters(text: str) -> list[str]:
    """Split at the commas that no bracket holds."""
    found, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [each.strip() for each in found if each.strip()]


def noun(name: str, cls: Any) -> list[str]:
    """Write one noun with its fields; an alias with what it stands for."""
    if not inspect.isclass(cls):
        return [f"### {name}", "", f"`{str(cls).replace('typing.', '')}`", ""]
    own = cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
    lines = [f"### {name}", "", *prose(inspect.getdoc(cls) or "" if own else ""), ""]
    if is_dataclass(cls) and fields(cls):
        lines += [
            FENCE + "python",
            *(f"{each.name}: {each.type}".replace("'", '"') for each in fields(cls) if each.init),
            FENCE,
            "",
        ]
    return lines


def tree() -> list[str]:
    """Give the tree of errors as its module draws it."""
    drawn = (inspect.getdoc(errors) or "").splitlines()
    return drawn[next(at for at, line in enumerate(drawn) if line.startswith("EnvforgeError")) :]
