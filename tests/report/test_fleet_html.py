"""The page of a fleet's report."""

from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from envforge.report.fleet_html import fleet_html


def node(name, state="ok", says="", **checks):
    return {"node": name, "state": state, "says": says, "checks": checks}


def shape(nodes, step="verify", **parts):
    counts = {
        state: sum(each["state"] == state for each in nodes) for state in ("ok", "failed", "raised", "lost", "late")
    }
    return {"step": step, "when": "2026-11-21T00:00:00+00:00", "counts": counts, "told": [], "nodes": nodes, **parts}


class Seen(HTMLParser):
    """The words of a page, by the element that they stand in."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_data(self, data):
        if data.strip():
            self.words.append((self.open[-1], data.strip()))


def test_every_node_is_a_square_that_tells_its_name_and_state():
    nodes = [node("a"), node("b", "failed", "a check failed"), node("c", "lost", "no worker came for it")]
    squares = [each for tag, each in Seen(fleet_html([shape(nodes)])).tags if tag == "i"]
    assert [("ok", "a: ok"), ("failed", "b: failed: a check failed"), ("lost", "c: lost: no worker came for it")] == [
        (each["class"], each["title"]) for each in squares
    ]


def test_nodes_that_came_to_the_same_are_one_row_and_the_worst_come_first():
    nodes = [node(f"n{at}", import_torch="pass", fft="pass") for at in range(1000)]
    nodes += [node("bad", "failed", import_torch="pass", fft="fail"), node("gone", "lost")]
    words = [word for tag, word in Seen(fleet_html([shape(nodes)])).words if tag in ("td", "b")]
    first = ["bad", "failed", "✓", "✗", "gone", "lost"]
    assert [*first, "n0, n1, n2, n3, n4, n5, n6, n7 and 992 more", "ok", "✓", "✓"] == words


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '" onmouseover="x', "a & b"])
def test_what_nodes_say_stays_text(text):
    page = fleet_html(
        [shape([node(text, "failed", text)], told=[{"state": "failed", "says": text, "nodes": text, "count": 1}])]
    )
    seen = Seen(page)
    assert set() == {"script"} & {tag for tag, _ in seen.tags}
    assert [] == [each for _, each in seen.tags if "onmouseover" in each]
    assert [f"{text}: failed: {text}"] == [each["title"] for tag, each in seen.tags if tag == "i"]


def test_the_newest_step_comes_first():
    steps = [shape([node("a")], step) for step in ("detect", "verify")]
    assert ["verify: 1 of 1 nodes ok", "detect: 1 of 1 nodes ok"] == [
        word for tag, word in Seen(fleet_html(steps)).words if tag == "h2"
    ]


def test_the_page_is_well_formed():
    page = fleet_html(
        [
            shape(
                [node("a", import_torch="pass")],
                kinds=[{"nodes": "a", "count": 1, "driver": "d", "gpus": "g", "system": None}],
            )
        ]
    )
    body = page[page.index("<body>") : page.index("</body>") + len("</body>")]
    assert "body" == ElementTree.fromstring(body).tag
