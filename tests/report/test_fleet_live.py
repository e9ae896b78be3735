"""A sweep as people see it: lines in a pipe, a table on a terminal."""

import io

from rich.console import Console

from envforge.fleet import Outcome
from envforge.report.fleet_live import Board, watch_fleet

NODES = ("n1", "n2", "n3")
LOST = Outcome(node="n2", state="lost", attempts=2, why="its worker died 2 times")


def test_a_pipe_gets_a_line_for_each_node_that_is_not_ok():
    out = io.StringIO()
    with watch_fleet(out, "auto", {}, "verify", NODES) as tell:
        tell("n1", "running", None)
        tell("n1", "ok", Outcome(node="n1", state="ok"))
        tell("n2", "lost", LOST)
    assert "verify: 0 of 3 nodes\nn2: lost, its worker died 2 times\n" == out.getvalue()


def test_a_pipe_gets_the_sum_while_nothing_happens():
    out = io.StringIO()
    with watch_fleet(out, "auto", {}, "verify", NODES, beat_s=0.01):
        while out.getvalue().count("verify: 0 of 3 nodes") < 3:
            pass
    assert "verify: 0 of 3 nodes\n" * 2 in out.getvalue()


def test_a_table_shows_what_went_wrong_before_what_runs_and_what_waits():
    board = Board("verify", (*NODES, "n4"))
    board.tell("n1", "ok", Outcome(node="n1", state="ok"))
    board.tell("n4", "running", None)
    board.tell("n2", "lost", LOST)
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(board.table())
    first, _, *rows = console.file.getvalue().splitlines()
    assert "verify: 2 of 4 nodes, 1 lost" == first.rstrip()
    assert ["n2 lost", "n4 running", "n3 waiting"] == [" ".join(row.split()[:2]) for row in rows]


def test_a_table_of_many_nodes_stays_short():
    board = Board("verify", tuple(f"n{at}" for at in range(1000)))
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(board.table())
    assert "and 988 more" == console.file.getvalue().splitlines()[-1].strip()
