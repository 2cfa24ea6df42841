"""The classifier's questions: known phrasings, read and written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .markers import MARKER, mark

LEVELS = ("none", "first", "second", "third")
UNKNOWN = "If none of them applied, return unknown"

_FORM = re.compile(
    r'(?P<the>The )?##(?P<name>.+?)##(?: in the sentence(?P<colon>:?) "(?P<sentence>.*)")?'
    r" (?P<verb>belongs?) to which entity in the (?:(?P<level>first|second|third) )?list: "
    r"(?P<types>.*?)\?(?:[.,]? ?(?P<unknown>If none of them applied, return unknown)[.?]?)?\s*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Question:
    """One question about one mention.

    sentence (str): As it stands in the question; empty for a question without context.
    level (str): One of LEVELS.
    style (str): "released" (`The ##x## in the sentence: "..."`), "paper" (`##x## in the
        sentence "..."`) or "bare" (without a sentence).
    unknown (bool): Whether the answer "unknown" is offered.
    """

    name: str
    sentence: str
    types: tuple[str, ...]
    level: str = "none"
    style: str = "released"
    verb: str = "belong"
    unknown: bool = False

    def render(self) -> str:
        marked = f"{MARKER}{self.name}{MARKER}"
        if self.style == "released":
            head = f'The {marked} in the sentence: "{self.sentence}"'
        elif self.style == "paper":
            head = f'{marked} in the sentence "{self.sentence}"'
        else:
            head = marked
        level = "" if self.level == "none" else f"{self.level} "
        tail = f" {UNKNOWN}" if self.unknown else ""
        return (
            f"{head} {self.verb} to which entity in the {level}list:"
            f" {', '.join(self.types)}?{tail}"
        )


def parse_question(value: str) -> Question | None:
    """Reads a question of the paper or of the released checkpoints; None if it is neither."""
    match = _FORM.fullmatch(value)
    if match is None:
        return None
    if match["sentence"] is None:
        style = "bare"
    else:
        style = "released" if match["the"] or match["colon"] else "paper"
    types = tuple(t.strip() for t in match["types"].split(", ") if t.strip())
    return Question(
        match["name"],
        match["sentence"] or "",
        types,
        match["level"] or "none",
        style,
        match["verb"],
        bool(match["unknown"]),
    )


def split_context(question: Question) -> tuple[str, int | None]:
    """The sentence of a question, and the offset of the mention where the sentence has it marked.

    Only the phrasing of the paper marks the mention in the sentence.
    """
    if question.style == "bare":
        return question.name, 0
    marked = mark(question.name, [(0, len(question.name))])
    if question.style == "paper" and question.sentence.count(marked) == 1:
        at = question.sentence.index(marked)
        return question.sentence.replace(marked, question.name), at
    return question.sentence, None
