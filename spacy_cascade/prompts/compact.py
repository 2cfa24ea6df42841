"""Prompts for models trained from nothing: separator tokens instead of instructions, fixed segments instead of free
tokenization, and no type list (the constraint holds the list; a tiny model has no use for reading it).

A copied token gets the position of its original, so that "what comes next in the text?" is a constant distance for
the model's rotary position encoding, and need not be learned by induction from a few thousand sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..decoding.automaton import Guess, SegmentAutomaton
from ..decoding.copy import Job
from ..registry import prompts
from ..taxonomy import TypePath
from ..ty import Asked, Unit


def _text(lm: Any, unit: Unit) -> list[list[int]]:
    return [lm.encode(segment) for segment in unit.segments()]


@dataclass(frozen=True)
class CompactExtract:
    """`<s>text<sep>` -> `marked copy</s>`."""

    begin: str = "<s>"
    sep: str = "<sep>"
    mark: str = "<mark>"
    end: str = "</s>"

    def job(self, lm: Any, unit: Unit, guess: Guess) -> Job:
        segments = _text(lm, unit)
        automaton = SegmentAutomaton(segments, unit.spaces, marker=lm.token_id(self.mark), end=lm.token_id(self.end))
        prompt = [lm.token_id(self.begin), *(t for s in segments for t in s), lm.token_id(self.sep)]
        return Job(unit, prompt, automaton, guess, depths=[*range(len(prompt) - 1), 0])

    def text_range(self, lm: Any, job: Job) -> range:
        """Positions of the plain text in the prompt."""
        return range(1, len(job.prompt) - 1)

    def cost(self, lm: Any, segment: str) -> int:
        """Model tokens that one more segment adds to the whole sequence, markers not counted."""
        return 2 * len(lm.encode(segment))

    def overhead(self, lm: Any) -> int:
        """Model tokens of everything else."""
        return 3


@dataclass(frozen=True)
class CompactClassify:
    """`<s>text<sep>marked copy up to this <mark>mention<mark><type>` -> ` coarse<sep> medium<sep> fine<sep>`.

    The copy tells repeated mentions apart. It is what the extractor writes, so the mentions of a sentence share all of
    it, and each adds no more than its own types: a sentence costs the same whether it has one mention or ten.
    """

    begin: str = "<s>"
    sep: str = "<sep>"
    mark: str = "<mark>"
    ask: str = "<type>"
    continues: bool = True

    def prompt(self, lm: Any, asked: Asked, parent: TypePath, types: list[str]) -> tuple[list[int], list[int]]:
        """RETURNS: token ids and positions."""
        unit = asked.unit
        segments = _text(lm, unit)
        mark, sep = lm.token_id(self.mark), lm.token_id(self.sep)
        ids = [lm.token_id(self.begin), *(t for s in segments for t in s), sep]
        depths, at, offset = [*range(len(ids) - 1), 0], 0, 1
        for start, end in (*asked.before, (asked.start, asked.end)):
            for part in (segments[at:start], [[mark]], segments[start:end], [[mark]]):
                tokens = [t for s in part for t in s]
                ids += tokens
                depths += range(offset, offset + len(tokens))
                offset += 0 if tokens == [mark] else len(tokens)
            at = end
        answers = [lm.token_id(self.ask), *(t for name in parent for t in (*self.answer(lm, name), sep))]
        return ids + answers, depths + list(range(offset + 1, offset + 1 + len(answers)))

    def answer(self, lm: Any, name: str) -> list[int]:
        return lm.encode(f" {name}", control=True)

    def end_id(self, lm: Any) -> int:
        return lm.token_id(self.sep)

    def text_length(self, lm: Any, unit: Unit) -> int:
        """How many tokens of plain text stand behind the first token of the prompt."""
        return sum(map(len, _text(lm, unit)))


@prompts("spacy-cascade.CompactExtract.v1")
def compact_extract() -> CompactExtract:
    """For the tiny base of `spacy cascade base` and its tokenizer."""
    return CompactExtract()


@prompts("spacy-cascade.CompactClassify.v1")
def compact_classify() -> CompactClassify:
    """For the tiny base of `spacy cascade base` and its tokenizer."""
    return CompactClassify()
