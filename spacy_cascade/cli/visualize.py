"""`spacy cascade visualize`: a self-contained displaCy page."""

from __future__ import annotations

import html
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import typer
from wasabi import msg

from ..doc.gold import unannotated
from ..errors import CascadeError, Errors
from ..files import atomic_path
from ..pages import html_page
from . import cascade_app
from ._util import corpora, read_docs, refuse_overlap, show_errors
from .analysis_style import LIGHT

# Of all coarse types but the most frequent dozen: no other colour stands for two of them.
OTHER = "#d3d6db"
TEMPLATE = (
    '<mark class="entity" title="{title}" style="background: {bg}; padding: 0.3em 0.45em;'
    ' margin: 0 0.2em; line-height: 1; border-radius: 0.35em;">{text}<span style="font-size:'
    " 0.75em; font-weight: bold; line-height: 1; border-radius: 0.35em; vertical-align: middle;"
    ' margin-inline-start: 0.5rem; white-space: nowrap">{label}</span></mark>'
)
CSS = """
body { font: 16px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd }
.entities { line-height: 2.4 !important; margin-bottom: .6rem; direction: inherit !important; overflow-wrap: anywhere }
.legend span { padding: .15em .6em; margin: 0 .4em .4em 0; border-radius: .35em; display: inline-block }
mark { cursor: help; -webkit-box-decoration-break: clone; box-decoration-break: clone } mark span { unicode-bidi: isolate } .note { color: #666; font-size: .9em }
"""
NOTE = (
    "Colours show the coarse type, labels the deepest one. Point at an entity for its path and"
    " score."
)


@cascade_app.command("visualize")
def visualize_cli(
    model: str = typer.Argument(..., help="Pipeline: a package name or directory"),
    data: list[Path] = typer.Argument(
        ..., help="DocBins, or directories with <name>/<split>.spacy"
    ),
    output: Path = typer.Argument(..., help="HTML file"),
    split: str = typer.Option("test", help="Which split of directories"),
    limit: int = typer.Option(8, min=0, help="Most documents per file; 0: all"),
    title: str = typer.Option("Entities found by the cascade"),
    overwrite: bool = typer.Option(False, help="Write over an existing file"),
) -> None:
    """Write a page that shows what a pipeline finds in the texts of some DocBins."""
    import spacy

    with show_errors():
        refuse_overlap([model, *data], [output])
        if output.exists() and not overwrite:
            raise CascadeError(Errors.C060.format(path=output))
        nlp = spacy.load(model)
        groups = {
            name: list(
                nlp.pipe(
                    unannotated(nlp, doc)
                    for doc in read_docs(path, nlp.vocab, limit, spans_key=None)
                )
            )
            for name, path in corpora(data, split).items()
        }
        with atomic_path(output) as temp:
            temp.write_text(render_page(groups, title=title), encoding="utf8")
    msg.good(
        f"{sum(map(len, groups.values()))} documents in {len(groups)} sections", output
    )


def render_page(groups: dict[str, list[Any]], *, title: str) -> str:
    """groups (dict): Heading -> Docs.

    RETURNS (str): A whole HTML page without outside references.
    """
    docs = list(itertools.chain.from_iterable(groups.values()))
    counts = Counter(_coarse(e) for doc in docs for e in doc.ents)
    frequent = sorted(sorted(counts, key=lambda c: (-counts[c], c))[: len(LIGHT)])
    colors = dict.fromkeys(counts, OTHER) | dict(zip(frequent, LIGHT, strict=False))
    legend = "".join(
        f'<span style="background: {colors[c]}">{html.escape(c)}</span>'
        for c in sorted(counts)
    )
    sections = "".join(
        f"<h2>{html.escape(name)}</h2>"
        + "".join(render_doc(doc, colors) for doc in group)
        for name, group in groups.items()
    )
    above = f'<p class="note">{NOTE}</p><p class="legend">{legend}</p>'
    return html_page(title=title, css=CSS, body=above + sections)


def render_doc(doc: Any, colors: dict[str, str]) -> str:
    """One Doc with displaCy: colour by coarse type, path and score as title."""
    from spacy import displacy

    ents: list[dict[str, Any]] = []
    for e in doc.ents:
        # displaCy escapes the text and nothing else
        params = {"title": html.escape(_title(e)), "bg": colors[_coarse(e)]}
        label = html.escape(e.label_)
        ents.append(
            {"start": e.start_char, "end": e.end_char, "label": label, "params": params}
        )
    options = {"template": TEMPLATE}
    page = displacy.render(
        {"text": doc.text, "ents": ents},
        style="ent",
        manual=True,
        jupyter=False,
        options=options,
    )
    return f'<div dir="auto">{page}</div>'


def _coarse(ent: Any) -> str:
    return ent._.cascade_path.split(" > ")[0] or ent.label_


def _title(ent: Any) -> str:
    score = ent._.cascade_score
    return f"{ent._.cascade_path or ent.label_}" + (
        "" if score is None else f"  ({score:.2f})"
    )
