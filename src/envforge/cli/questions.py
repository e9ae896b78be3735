"""What `init` asks a person at a terminal."""

from __future__ import annotations

import re
import sys

import typer

from envforge.cli.talk import Talk

Asked = dict[str, str | list[str] | None]


def may_ask(talk: Talk) -> bool:
    """Say whether somebody is there to answer."""
    return not talk.json and not talk.quiet and sys.stdin.isatty() and sys.stderr.isatty()


def ask() -> Asked:
    """Ask for what most specs say; an empty answer leaves the choice to envforge."""
    typer.echo("Leave an answer empty where envforge should choose.", err=True)
    torch = _one("torch versions, as 2.8.* or >=2.6,<3")
    companions = _several("companions of torch, as torchvision torchaudio")
    wheels = _several("wheels, as timm>=1 einops")
    conda = _several("conda packages, as ffmpeg")
    required = typer.confirm("must it use a GPU", default=False, err=True)
    typer.echo("", err=True)
    more: Asked = {"gpu": "required"} if required else {}
    return {"torch": torch, "with": companions, "conda": conda, "wheels": wheels, **more}


def _one(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()


def _several(question: str) -> list[str]:
    """Split at blanks, and at commas that end a word: `>=2,<3` is one requirement."""
    return [word for word in re.split(r",?\s+|,$", _one(question)) if word]
