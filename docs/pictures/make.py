"""Draw the terminal pictures of the README and the docs from real runs: ``python docs/pictures/make.py``.

80 columns; one file serves light and dark pages. With ``--check`` it only says which are out of date (exit 1); how many
rules could not be asked does not count, since it grows with every rule.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).resolve().parent
COLUMNS = 80
LINE_HEIGHT = 24.4  # what rich gives a line
MACHINES = "tests/machines"
PICTURES = {
    "plan": ["plan", "envspecs/training.yaml", "--offline", "--machine", f"{MACHINES}/profiles/h100-550.54.yaml"],
    "conflict": ["plan", "envspecs/blackwell.yaml", "--offline", "--machine", f"{MACHINES}/profiles/v100-450.80.yaml"],
    "doctor": ["doctor", "--machine", f"{MACHINES}/recordings/library-newer-than-module.yaml"],
    "facts": ["facts", "--gpu", "7.0", "--driver", "535.104.05", "--torch", ">=2.13"],
}


def theme(back: str, text: str, colours: str) -> TerminalTheme:
    """Make a theme from hexadecimal colours, the eight of a terminal in their usual order; bright ones are the same."""
    eight = [_rgb(each) for each in colours.split()]
    return TerminalTheme(_rgb(back), _rgb(text), eight, eight)


def _rgb(hexadecimal: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(hexadecimal)
    return red, green, blue


DARK = theme("181b21", "d7dae0", "6b7280 f0868d 8fd07a e9c46a 74b8f5 cf9bea 62c7d2 f4f5f7")
LIGHT = theme("f6f7f9", "24292f", "6e7781 b3202c 1a6b2f 8a5a00 0a54b0 6f3aa8 0b6472 24292f")
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
    """Draw one run as SVG, with no font or script from elsewhere; the reader's light or dark chooses the colours."""
    said = " ".join(_as_typed(word) for word in words if word != "--offline")
    text = run(words).rstrip("\n")
    dark, light = (_exported(name, said, text, each) for each in (DARK, LIGHT))
    styles = re.findall(rf"^\.{name}-r\d+ .*$", light, re.MULTILINE)
    at_day = "\n".join(["@media (prefers-color-scheme: light) {", ".back { fill: #f6f7f9 }", *styles, "}"])
    return dark.replace("</style>", f"{at_day}\n</style>")


def _as_typed(word: str) -> str:
    bare = re.sub(rf"{MACHINES}/\w+/", "", word)
    return f"'{bare}'" if re.search(r"[ >]", bare) else bare


def _exported(name: str, said: str, text: str, colours: TerminalTheme) -> str:
    """Fill our own frame: rich's default one asks a foreign host for its font."""
    console = Console(record=True, width=COLUMNS + 2, file=io.StringIO(), force_terminal=True, highlight=False)
    lines = [*folded(Text(f"$ envforge {said}\n", style="bold")), *folded(Text.from_ansi(text))]
    for line in lines:
        console.print(line, soft_wrap=True)
    label = f"envforge {said}".replace('"', "'").replace(">", "&gt;").replace("{", "{{").replace("}", "}}")
    own = FRAME.replace("{label}", label).replace("{height}", f"{len(lines) * LINE_HEIGHT + 28:g}")
    return console.export_svg(theme=colours, code_format=own, unique_id=name)


def folded(text: Text) -> Iterator[Text]:
    """Break lines that are too long where a terminal does: after its last column."""
    for line in text.split("\n", allow_blank=True):
        yield from line.divide(range(COLUMNS, len(line), COLUMNS))


def _lasting(svg: str) -> str:
    return re.sub(r"\d+(?=&#160;rules&#160;could)", "some", svg)


def main() -> int:
    drawn = {HERE / f"{name}.svg": draw(name, words) for name, words in PICTURES.items()}
    old = [
        path for path, svg in drawn.items() if not path.is_file() or _lasting(path.read_text("utf-8")) != _lasting(svg)
    ]
    if "--check" in sys.argv[1:]:
        print("".join(f"out of date: {path.name}\n" for path in old), end="")
        return 1 if old else 0
    for path in old:
        path.write_text(drawn[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
