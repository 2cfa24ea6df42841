"""The command that shows entities on a page."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from spacy_cascade.cli.visualize import OTHER, render_page
from tests import util
from tests.cli.util import call


def test_cascade_visualize_writes_a_self_contained_page(
    work: Path, corpus: Path, tmp_path: Path
) -> None:
    call(
        "cascade",
        "visualize",
        work / "pipeline",
        corpus / "test.spacy",
        tmp_path / "new" / "page.html",
    )
    page = (tmp_path / "new" / "page.html").read_text("utf8")
    assert "John Smith" in re.sub(r"<[^>]+>", "", page)
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|url\(", page)


def test_pages_show_path_and_score_and_escape_text() -> None:
    nlp, _ = util.scripted({"John": ("person",), "Paris": ("location", "city")})
    page = render_page(
        {"<b>&": [nlp("John <script>alert(1)</script> Paris & co")]}, title="<i>"
    )
    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert 'title="location &gt; city  (' in page
    assert "Paris" in page


def test_pages_of_texts_without_entities(nlp: Any) -> None:
    assert "Nothing" in render_page(
        {"a": [nlp("Nothing"), nlp("")], "b": []}, title="t"
    )


def test_pages_leave_the_direction_to_the_text() -> None:
    """displaCy writes 'direction: ltr' into every text; the style must undo it."""
    from spacy_cascade.pages import errors_css

    nlp, _ = util.scripted({"תל אביב": ("location", "city")})
    page = render_page({"he": [nlp("הוא נולד בתל אביב, תל אביב.")]}, title="t")
    assert '<div dir="auto"><div class="entities"' in page
    assert re.search(r"\.entities \{[^}]*direction: inherit !important", page)
    assert re.search(r"\.entities \{[^}]*direction: inherit !important", errors_css())


def test_no_colour_of_a_page_stands_for_two_types() -> None:
    names = {f"Name{i:02}x": (f"type {i:02}",) for i in range(15)}
    nlp, _ = util.scripted(names, [path[0] for path in names.values()])
    page = render_page(
        {"a": [nlp(" and ".join([*names, *list(names)[3:]]))]}, title="t"
    )
    legend = re.findall(r'<span style="background: (#\w+)">(type \d\d)</span>', page)
    assert [name for _, name in legend] == [f"type {i:02}" for i in range(15)]
    colors = Counter(color for color, _ in legend)
    assert colors.pop(OTHER) == 3
    assert set(colors.values()) == {1}
    assert {name for color, name in legend if color == OTHER} == {
        "type 00",
        "type 01",
        "type 02",
    }
