"""Prompts for models trained from nothing: separator tokens instead of instructions,
fixed segments instead of free tokenization, and no instructions. Types are named only
if asked for: what counts as a mention depends on them; the choice among them is left to
the constraint.

A copied token gets the position of its original, so that "what comes next in the text?"
is a constant distance for the model's rotary position encoding, and need not be learned
by induction from a few thousand sentences.

Types are written in lower case, however users spell them: the tokens of a name are the
    same for all spellings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from ..decoding.automaton import Guess, SegmentAutomaton
from ..decoding.copy import Job
from ..registry import prompts
from ..taxonomy import TypePath, normalize_name
from ..types import MentionQuery, Unit

# Token ids of label sets. Weak: a model must go when its pipeline does.
_label_sets: WeakKeyDictionary[Any, dict[tuple[str, ...], list[int]]] = (
    WeakKeyDictionary()
)
_MOST_LABEL_SETS = 256


def type_tokens(lm: Any, name: str) -> list[int]:
    """Token ids of a type's name."""
    return lm.encode(f" {normalize_name(name)}", control=True)  # type: ignore[no-any-return]


def _text(lm: Any, unit: Unit) -> list[list[int]]:
    return [lm.encode(segment) for segment in unit.segments()]


def _head(lm: Any, unit: Unit, begin: str, sep: str, labels: bool) -> list[int]:
    """What stands before the text.

    All of it has position 0, so that a label's place in the list means nothing.
    """
    if not (labels and unit.labels):
        return [lm.token_id(begin)]
    return [lm.token_id(begin), *_names(lm, unit.labels), lm.token_id(sep)]


def _names(lm: Any, labels: tuple[str, ...]) -> list[int]:
    """Token ids of a label set, which is the same for many texts."""
    known = _label_sets.setdefault(lm, {})
    found = known.get(labels)
    if found is None:
        if len(known) >= _MOST_LABEL_SETS:
            known.clear()
        found = [t for name in labels for t in type_tokens(lm, name)]
        known[labels] = found
    return found


@dataclass(frozen=True)
class CompactExtract:
    """`<s>text<sep>` -> `marked copy</s>`.

    labels (bool): Name the label set, where there is one: `<s> person location<sep>text<sep>`.
    """

    begin: str = "<s>"
    sep: str = "<sep>"
    mark: str = "<mark>"
    end: str = "</s>"
    labels: bool = False

    def job(self, lm: Any, unit: Unit, guess: Guess) -> Job:
        segments = _text(lm, unit)
        automaton = SegmentAutomaton(
            segments,
            unit.spaces,
            marker=lm.token_id(self.mark),
            end=lm.token_id(self.end),
        )
        head = _head(lm, unit, self.begin, self.sep, self.labels)
        text = [t for s in segments for t in s]
        depths = [*([0] * len(head)), *range(1, len(text) + 1), 0]
        return Job(
            unit, [*head, *text, lm.token_id(self.sep)], automaton, guess, depths=depths
        )

    def text_range(self, lm: Any, job: Job) -> range:
        """Positions of the plain text in the prompt."""
        head = _head(lm, job.unit, self.begin, self.sep, self.labels)
        return range(len(head), len(job.prompt) - 1)

    def cost(self, lm: Any, segment: str) -> int:
        """Model tokens that one more segment adds to the whole sequence, markers not counted."""
        return 2 * len(lm.encode(segment))

    def overhead(self, lm: Any, labels: Sequence[str] = ()) -> int:
        """Model tokens of everything else."""
        return 4 + sum(len(type_tokens(lm, name)) for name in labels if self.labels)


@dataclass(frozen=True)
class CompactClassify:
    """`<s>text<sep>marked copy up to this <mark>mention<mark><type>` -> ` coarse<sep>
    medium<sep> fine<sep>`.

    The copy tells repeated mentions apart. It is what the extractor writes, so the
    mentions of a sentence share all of it, and each adds no more than its own types: a
    sentence costs the same whether it has one mention or ten.

    labels (bool): As in the extractor's template, which it has to agree with.
    context (bool): Whether the text is shown. Without it a mention is all there is to
        read, `<s><mark>mention<mark><type>`: for comparison, and for names that say it
        all.
    """

    begin: str = "<s>"
    sep: str = "<sep>"
    mark: str = "<mark>"
    ask: str = "<type>"
    labels: bool = False
    context: bool = True
    continues: bool = True

    def prompt(
        self, lm: Any, asked: MentionQuery, parent: TypePath, types: list[str]
    ) -> tuple[list[int], list[int]]:
        """RETURNS: token ids and positions."""
        unit = asked.unit
        segments = _text(lm, unit)
        mark, sep = lm.token_id(self.mark), lm.token_id(self.sep)
        ids = _head(lm, unit, self.begin, self.sep, self.labels)
        depths, at, offset = [0] * len(ids), asked.start, 1
        before = asked.before if self.context else ()
        if self.context:
            text = [t for s in segments for t in s]
            ids += [*text, sep]
            depths += [*range(1, len(text) + 1), 0]
            at = 0
        for start, end in (*before, (asked.start, asked.end)):
            for part in (segments[at:start], [[mark]], segments[start:end], [[mark]]):
                tokens = [t for s in part for t in s]
                ids += tokens
                depths += range(offset, offset + len(tokens))
                offset += 0 if tokens == [mark] else len(tokens)
            at = end
        answers = [
            lm.token_id(self.ask),
            *(t for name in parent for t in (*self.answer(lm, name), sep)),
        ]
        return ids + answers, depths + list(
            range(offset + 1, offset + 1 + len(answers))
        )

    def goes_on_from(self, template: Any) -> bool:
        """Whether an extractor's prompts and copies are what the prompts here begin with."""
        shown = CompactExtract(self.begin, self.sep, self.mark, labels=self.labels)
        return (
            self.context
            and isinstance(template, CompactExtract)
            and replace(template, end=shown.end) == shown
        )

    def answer(self, lm: Any, name: str) -> list[int]:
        return type_tokens(lm, name)

    def end_id(self, lm: Any) -> int:
        return lm.token_id(self.sep)

    def text_range(self, lm: Any, unit: Unit) -> range:
        """Positions of the plain text in the prompt."""
        if not self.context:
            return range(0)
        first = len(_head(lm, unit, self.begin, self.sep, self.labels))
        return range(first, first + sum(map(len, _text(lm, unit))))


@prompts("spacy-cascade.CompactExtract.v1")
def compact_extract(labels: bool = False) -> CompactExtract:
    """For the tiny base of `spacy cascade base` and its tokenizer. labels (bool): Name
    the label set.
    """
    return CompactExtract(labels=labels)


@prompts("spacy-cascade.CompactClassify.v1")
def compact_classify(labels: bool = False, context: bool = True) -> CompactClassify:
    """For the tiny base of `spacy cascade base` and its tokenizer.

    labels (bool): As in the extractor's template. context (bool): Show the text, not
        the mention alone.
    """
    return CompactClassify(labels=labels, context=context)
