"""Gold Docs of everyday texts, one after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from spacy.tokens import Doc

from benchmarks.common import blank
from benchmarks.everyday_texts.data import TEMPLATES
from benchmarks.everyday_texts.fillers import Names
from benchmarks.everyday_texts.gold import choose_labels, concept_of
from benchmarks.everyday_texts.writing import Filling, has_mention, roughened
from spacy_cascade.training.augment import gold_doc

MAX_TOKENS = 90
# How often a template is filled until a text fits and is new.
TRIES = 20
# Templates without a mention are left out now and then, so that one text in five has none.
KEPT_WITHOUT_MENTION = 0.75


class Template(NamedTuple):
    """A kind of text, and a template of it."""

    kind: str
    text: str


class Everyday(NamedTuple):
    """A text.

    doc (Doc): Its gold, and its labels as `cascade_labels`.
    types (Set[str]): Types of all mentions, also of those that no label fits.
    """

    doc: Doc
    types: set[str]


class Author:
    """Writes texts. rng (random.Random): Source of randomness."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.names = Names(rng)
        self.nlp = blank()
        self.seen: set[str] = set()

    def texts(self, n: int) -> Iterator[Everyday]:
        """So many texts; every other one has one of the usual coarse lists of labels."""
        written = 0
        templates = self._templates()
        while written < n:
            plain = written % 2 == 0
            text = self._new(next(templates), plain)
            if text is not None:
                written += 1
                yield text

    def _templates(self) -> Iterator[Template]:
        """All templates again and again, in random order."""
        templates = []
        for kind, group in TEMPLATES.items():
            for text in group:
                templates.append(Template(kind, text))
        while True:
            self.rng.shuffle(templates)
            for template in templates:
                kept = has_mention(template.text)
                if kept or self.rng.random() < KEPT_WITHOUT_MENTION:
                    yield template

    def _new(self, template: Template, plain: bool) -> Everyday | None:
        """A text that was not written before, as far as its template can be filled anew.

        RETURNS (Optional[Everyday]): None if the last try gave no text.
        """
        text = None
        for _ in range(TRIES):
            text = self._write(template, plain)
            if text is None:
                continue
            if text.doc.text not in self.seen or not text.types:
                break
        if text is not None:
            self.seen.add(text.doc.text)
        return text

    def _write(self, template: Template, plain: bool) -> Everyday | None:
        """RETURNS (Optional[Everyday]): None if the text is too long, or if a mention does
        not begin and end with tokens.
        """
        filled = Filling(template.text, self.names).pieces
        pieces = roughened(filled, template.kind, self.rng)
        types = {piece.type for piece in pieces if piece.type}
        labels = choose_labels(types, plain, self.rng)
        concepts = list(labels)
        text = ""
        mentions = []
        for piece in pieces:
            start = len(text)
            text += piece.text
            concept = concept_of(piece.type, concepts) if piece.type else None
            if concept is not None:
                path = (labels[concept],)
                mentions.append((start, len(text), path))

        tokens = self.nlp.make_doc(text)
        if len(tokens) > MAX_TOKENS:
            return None
        if any(tokens.char_span(start, end) is None for start, end, _ in mentions):
            return None
        doc = gold_doc(self.nlp, text, mentions)
        doc.user_data["cascade_labels"] = tuple(labels.values())
        return Everyday(doc, types)
