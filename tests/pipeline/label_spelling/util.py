"""A text whose labels are spelled in upper and mixed case."""

from __future__ import annotations

from spacy.language import Language
from spacy.training import Example

LABELS = ["PERSON", "Location > CITY", "Location > Country_Name"]
NAMES = {
    "John": ("person",),
    "Paris": ("location", "city"),
    "France": ("location", "country_name"),
}
TEXT = "John saw Paris in France"
PERFECT = [(0, 4, "PERSON"), (9, 14, "CITY"), (18, 24, "Country_Name")]


def gold(nlp: Language, labels: list[str] | None = None) -> Example:
    """Flat gold entities of `TEXT`, with their labels or with these."""
    ents = [
        (s, e, label)
        for (s, e, _), label in zip(
            PERFECT, labels or [p[-1] for p in PERFECT], strict=True
        )
    ]
    return Example.from_dict(nlp.make_doc(TEXT), {"entities": ents})
