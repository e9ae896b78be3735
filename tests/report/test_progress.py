"""Silence reads as a hang: progress says where long work is."""

import io
import itertools

from envforge.model import Progress
from envforge.report.progress import Gauge, in_bytes, watch
from patience import comes


def test_bytes_are_said_in_decimal_units():
    said = [in_bytes(count) for count in (0, 999, 1000, 123_456, 41_250_000, 999_600_000, 2_660_000_000, 5 * 10**12)]
    assert ["0 bytes", "999 bytes", "1.0 kB", "123 kB", "41.2 MB", "1.0 GB", "2.7 GB", "5.0 TB"] == said


def test_a_download_says_bytes_rate_and_time_left():
    clock = itertools.count(100, 10).__next__
    gauge = Gauge(clock)
    gauge.note(Progress(phase="download", done_bytes=0, total_bytes=400_000_000))
    gauge.note(Progress(phase="download", done_bytes=100_000_000, total_bytes=400_000_000))
    assert "downloading: 100 MB of 400 MB, 10.0 MB/s, 30 s left, 10 s so far" == gauge.line()


def test_a_new_phase_starts_the_clock_anew():
    times = iter([0.0, 50.0, 52.0])
    gauge = Gauge(lambda: next(times))
    gauge.note(Progress(phase="download", done_bytes=5))
    gauge.note(Progress(phase="link"))
    assert "linking: 2 s so far" == gauge.line()


def test_without_a_terminal_each_phase_is_a_line_and_silence_is_broken():
    stream = io.StringIO()
    with watch(stream, "auto", {}, beat_s=0.05) as emit:
        emit(Progress(phase="solve"))
        emit(Progress(phase="solve", subject="more of the same"))
        assert comes(lambda: stream.getvalue().count("\n") >= 3)
    assert set(stream.getvalue().splitlines()) == {"solving"}


def test_a_terminal_shows_a_live_line_and_clears_it():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with watch(stream, "auto", {"TERM": "xterm", "COLUMNS": "100"}) as emit:
        emit(Progress(phase="download", subject="torch", done_bytes=10_000_000, total_bytes=40_000_000))
        assert comes(lambda: "10.0 MB of 40.0 MB" in stream.getvalue())
    assert "downloading" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")
