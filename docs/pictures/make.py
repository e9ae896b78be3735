"""Draw the terminal pictures of the README and the docs from real runs: ``python docs/pictures/make.py``."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).resolve().parent
COLUMNS = 84
PICTURES = {
    "plan": ["plan", "envspecs/training.yaml", "--offline", "--machine", "tests/machines/profiles/h100-550.54.yaml"],
    "conflict": [
        "plan",
        "envspecs/blackwell.yaml",
        "--offline",
        "--machine",
        "tests/machines/profiles/v100-450.80.yaml",
    ],
}
DARK = TerminalTheme(
    (24, 27, 33),
    (215, 218, 224),
    [
        (40, 44, 52),
        (224, 108, 117),
        (126, 192, 106),
        (229, 192, 103),
        (97, 175, 239),
        (198, 120, 221),
        (86, 190, 200),
        (215, 218, 224),
    ],
    [
        (92, 99, 112),
        (240, 128, 136),
        (152, 212, 132),
        (240, 208, 130),
        (130, 195, 250),
        (215, 150, 235),
        (110, 210, 220),
        (255, 255, 255),
    ],
)
FRAME = (HERE / "frame.svg.format").read_text(encoding="utf-8")


def run(words: list[str]) -> str:
    """Run envforge as a person at a terminal would see it."""
    environ = {key: text for key, text in os.environ.items() if not key.startswith(("ENVFORGE_", "PIP_", "UV_"))}
    shown = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "PYTHONIOENCODING": "utf-8", "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, "-m", "envforge", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=HERE.parents[1],
        env={**environ, **shown},
        check=False,
    )
    return done.stdout + done.stderr


def draw(name: str, words: list[str]) -> str:
    """Draw one run as SVG, with no font or script from elsewhere."""
    said = " ".join(word.replace("tests/machines/profiles/", "") for word in words if word != "--offline")
    console = Console(record=True, width=COLUMNS + 4, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text(f"$ envforge {said}\n", style="bold"))
    console.print(Text.from_ansi(run(words).rstrip("\n")), soft_wrap=True)
    return _framed(console, name, said)


def _framed(console: Console, name: str, said: str) -> str:
    """Fill our own frame: rich's default one asks a foreign host for its font."""
    own = FRAME.replace("{label}", f"envforge {said}".replace('"', "'")).replace("{height}", "{terminal_height}")
    svg = console.export_svg(theme=DARK, code_format=own, unique_id=name)
    height = float(re.search(r'viewBox="0 0 \S+ ([\d.]+)"', svg)[1])
    return svg.replace(f' {height:g}" xmlns', f' {height + 34:g}" xmlns')


if __name__ == "__main__":
    for name, words in PICTURES.items():
        (HERE / f"{name}.svg").write_text(draw(name, words), encoding="utf-8")
