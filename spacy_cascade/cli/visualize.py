"""`spacy cascade visualize`: a self-contained displaCy page."""

from __future__ import annotations

import html
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from spacy.tokens import Doc, Span
from wasabi import msg

from ..doc.gold import unannotated
from ..errors import CascadeError, Errors
from ..files import atomic_path
from ..pages import LIGHT, html_page, note, read_asset
from ._app import cascade_app
from ._util import corpora, read_docs, refuse_overlap, show_errors

# Of all coarse types but the most frequent dozen: no other colour stands for two of them.
OTHER = "#d3d6db"
TEMPLATE = (
    '<mark class="entity" title="{title}" style="background: {bg}; padding: 0.3em 0.45em;'
    ' margin: 0 0.2em; line-height: 1; border-radius: 0.35em;">{text}<span style="font-size:'
    " 0.75em; font-weight: bold; line-height: 1; border-radius: 0.35em; vertical-align: middle;"
    ' margin-inline-start: 0.5rem; white-space: nowrap">{label}</span></mark>'
)
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
        groups: dict[str, list[Doc]] = {}
        for name, path in corpora(data, split).items():
            gold = read_docs(path, nlp.vocab, limit, spans_key=None)
            texts = (unannotated(nlp, doc) for doc in gold)
            groups[name] = list(nlp.pipe(texts))
        with atomic_path(output) as temp:
            temp.write_text(render_page(groups, title=title), encoding="utf8")
    n = sum(len(docs) for docs in groups.values())
    msg.good(f"{n} documents in {len(groups)} sections", output)


def render_page(groups: Mapping[str, Sequence[Doc]], *, title: str) -> str:
    """groups (Mapping): Heading -> Docs.

    RETURNS (str): A whole HTML page without outside references.
    """
    counts: Counter[str] = Counter()
    for doc in itertools.chain.from_iterable(groups.values()):
        counts.update(_coarse(ent) for ent in doc.ents)
    colors = _colors(counts)

    legend = []
    for coarse in sorted(counts):
        style = f"background: {colors[coarse]}"
        legend.append(f'<span style="{style}">{html.escape(coarse)}</span>')
    parts = [note(NOTE), f'<p class="legend">{"".join(legend)}</p>']
    for name, group in groups.items():
        parts.append(f"<h2>{html.escape(name)}</h2>")
        parts += [render_doc(doc, colors) for doc in group]
    css = read_asset("entities.css")
    return html_page(title=title, css=css, body="".join(parts))


def _colors(counts: Mapping[str, int]) -> dict[str, str]:
    """Colours of coarse types: the most frequent ones have one of their own."""
    by_count = sorted(counts, key=lambda coarse: (-counts[coarse], coarse))
    frequent = sorted(by_count[: len(LIGHT)])
    own = dict(zip(frequent, LIGHT, strict=False))
    return {coarse: own.get(coarse, OTHER) for coarse in counts}


def render_doc(doc: Doc, colors: Mapping[str, str]) -> str:
    """One Doc with displaCy: colour by coarse type, path and score as title."""
    from spacy import displacy

    ents = []
    for ent in doc.ents:
        # displaCy escapes the text and nothing else
        title = html.escape(_title(ent))
        shown = {
            "start": ent.start_char,
            "end": ent.end_char,
            "label": html.escape(ent.label_),
            "params": {"title": title, "bg": colors[_coarse(ent)]},
        }
        ents.append(shown)
    page = displacy.render(
        {"text": doc.text, "ents": ents},
        style="ent",
        manual=True,
        jupyter=False,
        options={"template": TEMPLATE},
    )
    return f'<div dir="auto">{page}</div>'


def _coarse(ent: Span) -> str:
    path: str = ent._.cascade_path
    return path.split(" > ")[0] or ent.label_


def _title(ent: Span) -> str:
    title: str = ent._.cascade_path or ent.label_
    score = ent._.cascade_score
    return title if score is None else f"{title}  ({score:.2f})"
