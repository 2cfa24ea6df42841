"""Docs of which a part is annotated."""

from __future__ import annotations

from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example

TEXT = "John met Mary in Paris ."


def doc(
    nlp: Language,
    text: str,
    mentions: list[tuple[str, str]],
    *,
    default: str | None = "outside",
) -> Doc:
    """Entities by name and label; default None: no annotation at all."""
    made = nlp.make_doc(text)
    if default is not None:
        spans = [
            made.char_span(text.index(n), text.index(n) + len(n), label=label)
            for n, label in mentions
        ]
        made.set_ents(spans, default=default)
    return made


def found(
    nlp: Language, text: str, mentions: list[tuple[str, str]], reference: Doc
) -> Example:
    return Example(doc(nlp, text, mentions), reference)


PREDICTED = [("John", "person"), ("Paris", "city")]


def write(path: Path, docs: list[Doc]) -> Path:
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path
