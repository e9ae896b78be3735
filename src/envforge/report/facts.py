"""Tables of facts: rows of cells, columns as wide as they must be."""

from __future__ import annotations

from collections.abc import Sequence

from envforge.report.page import Line, Page


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Page:
    """Lay rows out in columns below a head; the last column takes what is left, and wraps under itself."""
    widths = [max(len(cells[at]) for cells in (head, *rows)) for at in range(len(head) - 1)]
    left = sum(widths) + 2 * len(widths)

    def laid(cells: Sequence[str]) -> str:
        return "".join(cell.ljust(width + 2) for cell, width in zip(cells, widths, strict=False)).rstrip()

    lines = [Line(label=(("quiet", laid(head)),), body=(("quiet", head[-1]),), width=left)]
    lines += [Line(label=(("", laid(cells)),), body=(("", cells[-1]),), width=left) for cells in rows]
    return tuple(lines)
