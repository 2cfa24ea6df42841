"""Prompts for models that are trained from nothing.

They have separator tokens instead of instructions, and fixed segments instead of free
tokenization. Types are named only if asked for, since what counts as a mention depends
on them. The choice among them is left to the constraint.

A copied token gets the position of its original. So the answer to "what comes next in
the text?" stands at a constant distance for the model's rotary position encoding, and
need not be learned by induction from a few thousand sentences.

Types are written in lower case, however users spell them: the tokens of a name are the
same for all spellings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

from ..decoding.automaton import Guess, SegmentAutomaton
from ..decoding.copy import Job
from ..registry import prompts
from ..taxonomy import TypePath, normalize_name
from ..types import CausalLM, MentionQuery, Unit

# Token ids of label sets. The keys are weak, since a model must go when its pipeline does.
_label_sets: WeakKeyDictionary[CausalLM, dict[tuple[str, ...], list[int]]] = (
    WeakKeyDictionary()
)
_MOST_LABEL_SETS = 256


def type_tokens(lm: CausalLM, name: str) -> list[int]:
    """Token ids of a type's name."""
    return lm.encode(f" {normalize_name(name)}", control=True)


def encode_segments(lm: CausalLM, unit: Unit) -> list[list[int]]:
    """Token ids of every segment of a text."""
    return [lm.encode(segment) for segment in unit.segments()]


def joined(segments: Sequence[Sequence[int]]) -> list[int]:
    """The tokens of all segments."""
    return [token for segment in segments for token in segment]


def _head(lm: CausalLM, unit: Unit, begin: str, sep: str, labels: bool) -> list[int]:
    """What stands before the text.

    All of it has position 0, so that a label's place in the list means nothing.
    """
    if not (labels and unit.labels):
        return [lm.token_id(begin)]
    return [lm.token_id(begin), *_names(lm, unit.labels), lm.token_id(sep)]


def _names(lm: CausalLM, labels: tuple[str, ...]) -> list[int]:
    """Token ids of a label set, which is the same for many texts."""
    known = _label_sets.setdefault(lm, {})
    found = known.get(labels)
    if found is None:
        if len(known) >= _MOST_LABEL_SETS:
            known.clear()
        found = joined([type_tokens(lm, name) for name in labels])
        known[labels] = found
    return found


@prompts("spacy-cascade.CompactExtract.v1")
@dataclass(frozen=True)
class CompactExtract:
    """`<s>text<sep>` -> `marked copy</s>`. For the tiny base of `spacy cascade base`
    and its tokenizer.

    labels (bool): Name the label set, where there is one: `<s> person
        location<sep>text<sep>`.
    """

    # a small model knows no types but those it was trained with
    closed_labels: ClassVar[bool] = True
    begin: ClassVar[str] = "<s>"
    sep: ClassVar[str] = "<sep>"
    mark: ClassVar[str] = "<mark>"
    end: ClassVar[str] = "</s>"
    labels: bool = False

    def job(self, lm: CausalLM, unit: Unit, guess: Guess) -> Job:
        segments = encode_segments(lm, unit)
        automaton = SegmentAutomaton(
            segments,
            unit.spaces,
            marker=lm.token_id(self.mark),
            end=lm.token_id(self.end),
        )
        head = _head(lm, unit, self.begin, self.sep, self.labels)
        text = joined(segments)
        prompt = [*head, *text, lm.token_id(self.sep)]
        depths = [*([0] * len(head)), *range(1, len(text) + 1), 0]
        return Job(unit, prompt, automaton, guess, depths=depths)

    def text_range(self, lm: CausalLM, job: Job) -> range:
        """Positions of the plain text in the prompt."""
        head = _head(lm, job.unit, self.begin, self.sep, self.labels)
        return range(len(head), len(job.prompt) - 1)

    def cost(self, lm: CausalLM, segment: str) -> int:
        """Model tokens that one more segment adds to the whole sequence, markers not counted."""
        return 2 * len(lm.encode(segment))

    def overhead(self, lm: CausalLM, labels: Sequence[str] = ()) -> int:
        """Model tokens of everything else."""
        return 4 + sum(len(type_tokens(lm, name)) for name in labels if self.labels)


@prompts("spacy-cascade.CompactClassify.v1")
@dataclass(frozen=True)
class CompactClassify:
    """`<s>text<sep>marked copy up to this <mark>mention<mark><type>` -> ` coarse<sep>
    medium<sep> fine<sep>`. For the tiny base of `spacy cascade base` and its tokenizer.

    The copy tells repeated mentions apart. It is what the extractor writes, so the
    mentions of a sentence share all of it, and each adds no more than its own types. A
    sentence costs the same whether it has one mention or ten.

    labels (bool): As in the extractor's template, which it has to agree with.
    context (bool): Show the text, not the mention alone. Without it the prompt is
        `<s><mark>mention<mark><type>`: for comparison, and for names that say it all.
    """

    # a small model knows no types but those it was trained with
    closed_labels: ClassVar[bool] = True
    begin: ClassVar[str] = "<s>"
    sep: ClassVar[str] = "<sep>"
    mark: ClassVar[str] = "<mark>"
    type_mark: ClassVar[str] = "<type>"
    continues: ClassVar[bool] = True
    labels: bool = False
    context: bool = True

    def prompt(
        self, lm: CausalLM, asked: MentionQuery, parent: TypePath, types: list[str]
    ) -> tuple[list[int], list[int]]:
        """RETURNS: token ids and positions."""
        segments = encode_segments(lm, asked.unit)
        sep = lm.token_id(self.sep)
        ids = _head(lm, asked.unit, self.begin, self.sep, self.labels)
        depths = [0] * len(ids)
        if self.context:
            text = joined(segments)
            ids += [*text, sep]
            depths += [*range(1, len(text) + 1), 0]

        copy, copy_depths = self._copy(lm, asked, segments)
        ids += copy
        depths += copy_depths

        ids.append(lm.token_id(self.type_mark))
        for name in parent:
            ids += [*self.answer(lm, name), sep]
        first = copy_depths[-1] + 1
        depths += range(first, first + len(ids) - len(depths))
        return ids, depths

    def _copy(
        self, lm: CausalLM, asked: MentionQuery, segments: list[list[int]]
    ) -> tuple[list[int], list[int]]:
        """The copy up to the end of the mention, and its positions.

        A marker has the position of the token behind it.
        """
        mark = lm.token_id(self.mark)
        at = 0 if self.context else asked.start
        before = asked.before if self.context else ()
        ids: list[int] = []
        depths: list[int] = []
        offset = 1
        for start, end in (*before, (asked.start, asked.end)):
            for part in (segments[at:start], segments[start:end]):
                tokens = joined(part)
                ids += [*tokens, mark]
                depths += range(offset, offset + len(tokens) + 1)
                offset += len(tokens)
            at = end
        return ids, depths

    def goes_on_from(self, template: object) -> bool:
        """Whether the prompts here begin with an extractor's prompts and copies."""
        if not self.context or not isinstance(template, CompactExtract):
            return False
        shown = (template.labels, template.begin, template.sep, template.mark)
        return shown == (self.labels, self.begin, self.sep, self.mark)

    def answer(self, lm: CausalLM, name: str) -> list[int]:
        return type_tokens(lm, name)

    def end_id(self, lm: CausalLM) -> int:
        return lm.token_id(self.sep)

    def text_range(self, lm: CausalLM, unit: Unit) -> range:
        """Positions of the plain text in the prompt."""
        if not self.context:
            return range(0)
        first = len(_head(lm, unit, self.begin, self.sep, self.labels))
        text = joined(encode_segments(lm, unit))
        return range(first, first + len(text))
