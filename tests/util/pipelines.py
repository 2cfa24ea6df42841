"""Tiny pipelines, gold examples, and what a pipeline found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from corpus_tools.formats.docs import TOKENIZER
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.training.augment import gold_doc
from spacy_cascade.types import Unit

from .texts import GOLD, LABELS


def blank() -> Language:
    return spacy.blank("xx", config=TOKENIZER)


def segments(nlp: Language, texts: Iterable[str]) -> list[str]:
    docs = [nlp.make_doc(t) for t in texts]
    return [s for d in docs if len(d) for s in make_unit(d, 0, len(d)).segments()]


def model_config(path: Path | str, **more: Any) -> dict[str, Any]:
    return {
        "@causal_lms": "spacy-cascade.HF.v1",
        "name": str(path),
        "device": "cpu",
        **more,
    }


SHARED = {"@causal_lms": "spacy-cascade.SharedLM.v1", "component": "cascade_extractor"}


def labels_config(labels: Sequence[str] = LABELS) -> dict[str, Any]:
    return {"@taxonomies": "spacy-cascade.Labels.v1", "labels": list(labels)}


def cascade(
    base: Path,
    *,
    extractor: Mapping[str, Any] | None = None,
    classifier: Mapping[str, Any] | None = None,
) -> Language:
    """Both stages on one base with two adapters."""
    nlp = blank()
    nlp.add_pipe(
        "cascade_extractor", config={"model": model_config(base), **(extractor or {})}
    )
    nlp.add_pipe(
        "cascade_classifier",
        config={"model": SHARED, "taxonomy": labels_config(), **(classifier or {})},
    )
    return nlp


def example(nlp: Language, text: str, mentions: Iterable[tuple[str, str]]) -> Example:
    """Gold from (mention, path) pairs; each is searched behind the one before, so
    repeated mentions are told apart.
    """
    spans, at = [], 0
    for name, path in mentions:
        start = text.index(name, at)
        at = start + len(name)
        spans.append((start, at, tuple(path.split(" > ")) if path else ()))
    return Example(nlp.make_doc(text), gold_doc(nlp, text, spans))


def examples(nlp: Language, gold: Iterable[tuple[str, Any]] = GOLD) -> list[Example]:
    return [example(nlp, text, mentions) for text, mentions in gold]


def entities(doc: Doc) -> list[tuple[int, int, str]]:
    return [(e.start_char, e.end_char, e.label_) for e in doc.ents]


def spans(doc: Doc) -> list[tuple[int, int, str, str]]:
    group = doc.spans["cascade"]
    paths = group.attrs.get("paths") or [""] * len(group)
    return [
        (s.start_char, s.end_char, s.label_, p)
        for s, p in zip(group, paths, strict=True)
    ]


def scores(doc: Doc) -> list[float]:
    attrs = doc.spans["cascade"].attrs
    return [*attrs.get("scores", ()), *attrs.get("path_scores", ())]


def units(nlp: Language, texts: Iterable[str]) -> list[Unit]:
    """Texts as units, without white space at their ends (as `windows.cut` makes them)."""
    out = []
    for text in texts:
        doc = nlp.make_doc(text)
        words = [t.i for t in doc if not t.is_space]
        if words:
            out.append(make_unit(doc, words[0], words[-1] + 1))
    return out
