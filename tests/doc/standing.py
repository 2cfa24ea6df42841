"""Pipelines with steps between the stages."""

from __future__ import annotations

from collections.abc import Callable

from spacy.language import Language
from spacy.tokens import Doc

from tests import util

TEXT = "John saw Paris in France today. Nobody else was there to see it."
FOUND = [("John", "person"), ("Paris", "city"), ("France", "country")]
NAMES = {**util.NAMES, "New York": ("location", "city"), "Ann Lee": ("person",)}


def named(doc: Doc) -> list[tuple[str, str]]:
    return [(e.text, e.label_) for e in doc.ents]


def with_step(step: Callable[[Doc], Doc], **where: str) -> Language:
    """Both stages with a component of one's own between or behind them."""
    name = f"tests_step{id(step)}"
    Language.component(name, func=step)
    nlp, _ = util.scripted(NAMES)
    nlp.add_pipe(name, **where)  # type: ignore[arg-type]
    return nlp
