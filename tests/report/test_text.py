"""Terminals differ; pages stay readable on all of them."""

import io

import pytest

from envforge.report.page import Line, item, join, prose, row
from envforge.report.text import show, wants_color

LONG = "the driver is older than CUDA 12.8 needs, and `torch 2.13.0` was built for nothing else on this platform"
ADDRESS = "https://example.org/" + "a" * 90


class Terminal(io.TextIOWrapper):
    """A text stream that says whether it is a terminal."""

    def __init__(self, encoding: str = "utf-8", terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def written(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def shown(page, *, encoding="utf-8", when="auto", terminal=False, **environ):
    stream = Terminal(encoding, terminal)
    show(page, stream, when, environ)
    return stream.written()


@pytest.mark.parametrize(
    ("when", "terminal", "environ", "expected"),
    [
        ("auto", True, {"TERM": "xterm"}, True),
        ("auto", False, {"TERM": "xterm"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", False, {"FORCE_COLOR": "0"}, False),
        ("auto", False, {"CLICOLOR_FORCE": "1"}, True),
        ("auto", False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_the_flag_wins_then_no_color_then_force_color_then_the_terminal(when, terminal, environ, expected):
    assert expected == wants_color(when, Terminal(terminal=terminal), environ)


def test_a_pipe_gets_no_escape_codes_and_a_forced_one_does():
    assert "\x1b[" not in shown((prose(LONG),))
    assert "\x1b[" in shown((prose(LONG),), when="always")


def test_text_wraps_under_itself():
    lines = shown((item(LONG),), COLUMNS="60").splitlines()
    assert lines[0].startswith("  • the driver")
    assert all(line.startswith("    ") and line[4] != " " for line in lines[1:])
    assert max(map(len, lines)) <= 60


def test_a_word_longer_than_the_line_is_left_whole_for_copying():
    assert ADDRESS in shown((item(ADDRESS),), COLUMNS="40").splitlines()[0]


def test_labels_stand_in_their_own_column():
    assert "  torch     2.13.0\n" == shown((row("torch", "2.13.0", width=10),))


def test_a_terminal_without_unicode_gets_ascii():
    text = shown((item("driver ≥ 580 → more… for Zoë", mark="✓"),), encoding="ascii")
    assert "  + driver >= 580 -> more... for Zo?\n" == text


def test_groups_stand_apart_and_empty_groups_leave_no_gap():
    assert "a\n\nb\n" == shown(join((prose("a"),), (), (prose("b"),)))


def test_markup_in_a_users_text_is_text():
    assert "[bold]name[/bold] :smile:\n" == shown((Line(body=(("", "[bold]name[/bold] :smile:"),)),))


def test_control_characters_in_foreign_text_never_reach_the_terminal():
    text = shown((prose("torch\x1b]0;owned\x07 2.13\r\x0b\n" + "word " * 20),), COLUMNS="30")
    assert "torch]0;owned 2.13" == text.splitlines()[0]
    assert 20 == text.count("word")


def test_a_bound_stays_with_its_number_and_keeps_its_blank():
    lines = shown((prose("a driver that is not older than ≥ 525.60.13 is there"),), COLUMNS="34").splitlines()
    assert ["a driver that is not older than", "≥ 525.60.13 is there"] == lines


LINES = (
    item(LONG),
    prose("two\nlines, ≥ 525 and a blank \n"),
    row("wider than its column", LONG, width=8),
    row("seven", "", width=6),
    row("exact", "body", width=5),
    Line(body=(("code", "  indented"), ("", "\n\nand a blank line")), indent=4, whole=True),
    Line(),
)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_pipe_gets_whole_lines_as_a_terminal_of_any_width_would(encoding):
    assert shown(LINES, encoding=encoding, COLUMNS="5000") == shown(LINES, encoding=encoding)


def test_a_pipe_without_a_width_gets_no_line_broken():
    assert [f"  • {LONG}"] == shown((item(LONG),)).splitlines()
