"""Prompts of published systems that need no training: GPT-NER (arXiv 2304.10428) and
PromptNER (arXiv 2305.15444).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..decoding.automaton import Guess
from ..decoding.copy import Job
from ..decoding.labels import LabelJob, LabelTrie
from ..decoding.listing import ListJob
from ..decoding.native import NativeAutomaton
from ..decoding.symbols import byte_index, byte_labels
from ..errors import CascadeError, Errors
from ..prompts.chat_format import SYSTEM, frame, turn, vocabulary
from ..prompts.demonstrations import Demo, marked, read_demos, unusable
from ..prompts.labelset import LabelSet
from ..registry import prompts
from ..types import CausalLM, TokenSpan, Unit
from .reasons import ReasonAutomaton, ReasonJob

OPEN, CLOSE = "@@", "##"
# The type that stands for "no entity" while demonstrations are read.
_NO_TYPE = "∅"


class TypePrompt(Protocol):
    """How a `gpt_ner` asks for the mentions of one type after the other."""

    @property
    def full_paths(self) -> bool:
        """Whether labels are written with all types above them."""

    def job(self, lm: CausalLM, unit: Unit, labels: LabelSet, index: int) -> Job:
        """The prompt for a marked copy. index (int): The type that is asked for."""

    def verification(
        self, lm: CausalLM, unit: Unit, span: TokenSpan, labels: LabelSet, index: int
    ) -> LabelJob:
        """The question whether a mention is of a type; the first answer is yes."""

    def cost(self, lm: CausalLM, segment: str) -> int:
        """Tokens of a piece of text."""

    def overhead(self, lm: CausalLM, labels: LabelSet) -> int:
        """Tokens of the longest prompt without its text."""


class CandidatePrompt(Protocol):
    """How a `prompt_ner` asks for candidates and verdicts: as `ListPrompt`, but without
    right answers to train on.
    """

    @property
    def full_paths(self) -> bool:
        """Whether labels are written with all types above them."""

    def job(
        self, lm: CausalLM, unit: Unit, labels: LabelSet, *, nested: bool = False
    ) -> ListJob:
        """The prompt of a unit, and the automaton that constrains the answer."""

    def cost(self, lm: CausalLM, segment: str) -> int:
        """Tokens of a piece of text."""

    def overhead(self, lm: CausalLM, labels: LabelSet) -> int:
        """Tokens of the prompt without the text."""


@dataclass(frozen=True)
class GPTNERTemplate:
    """One type at a time: the text is copied with `@@mention##`; then every mention
    found is verified with yes or no.

    demos (tuple[Demo, ...]): Shown before the text, with the mentions of the type that
        is asked for; in the verification each of their mentions is a question, answered
        yes or no.
    """

    demos: tuple[Demo, ...] = ()
    system: str = SYSTEM
    full_paths: bool = False

    def text(self, text: str, labels: LabelSet, index: int) -> str:
        """The user's turn that asks for one type."""
        label = labels.names[index]
        out = [
            f"I am an excellent linguist. The task is to label {label} entities in the given"
            " sentence."
        ]
        if self.demos:
            out[0] += " Below are some examples."
        for demo in self.demos:
            names = [name for name, i in demo.known(labels) if i == index]
            out += [
                f"Input:{demo.text}",
                f"Output:{marked(demo.text, names, OPEN, CLOSE)}",
            ]
        return "\n".join([*out, f"Input:{text}", "Output:"])

    def question(self, text: str, mention: str, labels: LabelSet, index: int) -> str:
        """The user's turn that asks whether a mention is of a type."""
        label = labels.names[index]
        out = [
            f"I am an excellent linguist. The task is to verify whether the word is a {label}"
            " entity extracted from the given sentence."
        ]
        for demo in self.demos:
            out += [
                f"{_verify(demo.text, name, label)}\n{'yes' if i == index else 'no'}"
                for name, i in demo.known(labels)
            ]
        return "\n".join([*out, _verify(text, mention, label)])

    def job(self, lm: CausalLM, unit: Unit, labels: LabelSet, index: int) -> Job:
        end = frame(lm, self.system)[2]
        automaton = NativeAutomaton(
            unit, vocabulary(lm), lm.encode, marker=OPEN, close=CLOSE, end=end
        )
        return Job(
            unit,
            turn(lm, self.system, self.text(unit.text, labels, index)),
            automaton,
            Guess(unit),
        )

    def verification(
        self,
        lm: CausalLM,
        unit: Unit,
        span: tuple[int, int],
        labels: LabelSet,
        index: int,
    ) -> LabelJob:
        """span (tuple): Tokens of the unit.

        The first of the two log-probabilities is that of yes.
        """
        mention = unit.text[unit.tokens[span[0]][0] : unit.tokens[span[1] - 1][1]]
        trie = LabelTrie([lm.encode("yes"), lm.encode("no")], frame(lm, self.system)[2])
        prompt = turn(lm, self.system, self.question(unit.text, mention, labels, index))
        return LabelJob(prompt, trie, text=(unit, index))

    def cost(self, lm: CausalLM, segment: str) -> int:
        """Model tokens of a piece of text."""
        return len(lm.encode(segment))

    def overhead(self, lm: CausalLM, labels: LabelSet) -> int:
        """Most model tokens of a prompt without its text."""
        longest = max(range(len(labels.names)), key=lambda i: len(labels.names[i]))
        asks = self.text("", labels, longest), self.question("", "", labels, longest)
        return max(len(turn(lm, self.system, ask)) for ask in asks)


def _verify(text: str, mention: str, label: str) -> str:
    return (
        f'The given sentence: {text}\nIs the word "{mention}" in the given sentence a {label}'
        " entity? Please answer with yes or no."
    )


@dataclass(frozen=True)
class Candidate:
    """A candidate of a demonstration. label: "" if it is no entity."""

    name: str
    label: str
    reason: str


@dataclass(frozen=True)
class PromptNERTemplate:
    """Definitions of the types, demonstrations, and a question; the answer is a list of
    candidates, each judged with a reason: `1. mention | True | reason (label)`.

    reasons (int): Most tokens of a reason; 0 leaves reasons out.
    note (str): What else belongs to the definition.
    demos (tuple): (text, candidates) pairs.
    """

    reasons: int = 32
    note: str = ""
    demos: tuple[tuple[str, tuple[Candidate, ...]], ...] = ()
    system: str = SYSTEM
    full_paths: bool = False

    def text(self, text: str, labels: LabelSet) -> str:
        """The user's turn for a text."""
        kinds = [
            f"{d or n} ({n})"
            for n, d in zip(labels.names, labels.descriptions, strict=True)
        ]
        out = [
            f"Defn: An entity is a {', '.join(kinds)}.{f' {self.note}' if self.note else ''}\n"
        ]
        why = (
            " and for each entry explain why it either is or is not an entity"
            if self.reasons
            else ""
        )
        ask = (
            f"Q: Given the paragraph below, identify a list of possible entities{why}."
        )
        for shown, candidates in self.demos:
            out += [
                ask,
                f"Paragraph: {shown}\n",
                "Answer:",
                self.listed(self._known(shown, candidates, labels)) + "\n",
            ]
        if not self.demos:
            out.append(self._format(ask))
        else:
            out.append(ask)
        return "\n".join([*out, f"Paragraph: {text}\n", "Answer:"])

    def _format(self, ask: str) -> str:
        reasons = (
            "Explanation why the word is an entity ",
            "Explanation why the word is not an entity",
        )
        yes, no = reasons if self.reasons else ("", "")
        return (
            f"{ask} Answer in the format:\n1. First Candidate | True | {yes}(entity_type)\n2."
            f" Second Candidate | False |{' ' * bool(no)}{no}\n"
        )

    def _known(
        self, text: str, candidates: Sequence[Candidate], labels: LabelSet
    ) -> list[tuple[str, str, str]]:
        """(name, label as it is written or "", reason) of the candidates whose label is
        in the set.
        """
        out = []
        for c in candidates:
            found = Demo(text, ((c.name, c.label),)).known(labels)
            if found or not c.label:
                label = labels.names[found[0][1]] if found else ""
                out.append(
                    (
                        c.name,
                        label,
                        c.reason
                        or (
                            f"as it is a {label}" if label else "as it is none of these"
                        ),
                    )
                )
        return out

    def listed(self, candidates: Sequence[tuple[str, str, str]]) -> str:
        """An answer. candidates: (name, label or "", reason)."""
        lines = []
        for number, (name, label, reason) in enumerate(candidates, 1):
            said = f" {reason}" if self.reasons and reason else ""
            lines.append(
                f"{number}. {name} | {bool(label)} |{said}"
                + (f" ({label})" if label else "")
            )
        return "\n".join(lines)

    def job(
        self, lm: CausalLM, unit: Unit, labels: LabelSet, *, nested: bool = False
    ) -> ReasonJob:
        automaton = ReasonAutomaton(
            byte_index(unit),
            byte_labels(labels.names),
            vocabulary=vocabulary(lm),
            end=frame(lm, self.system)[2],
            nested=nested,
            reasons=self.reasons,
        )
        return ReasonJob(
            unit, turn(lm, self.system, self.text(unit.text, labels)), automaton
        )

    def cost(self, lm: CausalLM, segment: str) -> int:
        """Model tokens of a piece of text."""
        return len(lm.encode(segment))

    def overhead(self, lm: CausalLM, labels: LabelSet) -> int:
        """Model tokens of the prompt without its text."""
        return len(turn(lm, self.system, self.text("", labels)))


def read_candidates(
    examples: Sequence[Mapping[str, object]] | None,
) -> tuple[tuple[str, tuple[Candidate, ...]], ...]:
    """Read demonstrations as `read_demos` does.

    Their entities may have a "reason", and no "type" if they are no entities.

    RAISES CascadeError: C051 if one has another form, a mention that is not in its
        text, or a reason that would break the form of the answer.
    """
    records = list(examples or ())
    demos = read_demos([_typed(record) for record in records])
    out = []
    for number, (record, demo) in enumerate(zip(records, demos, strict=True)):
        reasons = _reasons(number, record)
        candidates = []
        for (name, label), reason in zip(demo.mentions, reasons, strict=True):
            label = "" if label == _NO_TYPE else label
            candidates.append(Candidate(name, label, reason))
        out.append((demo.text, tuple(candidates)))
    return tuple(out)


def _reasons(number: int, record: Mapping[str, object]) -> list[str]:
    """The reasons of a record's entities; "" where there is none."""
    entities = record.get("entities")
    if not isinstance(entities, Sequence):
        return []

    out = []
    for entity in entities:
        reason = entity.get("reason") or ""
        if not isinstance(reason, str) or "(" in reason or "\n" in reason:
            why = "a reason must be a text without '(' and line breaks"
            raise unusable(number, why, reason)
        out.append(reason)
    return out


def _typed(record: object) -> object:
    """The record with a type for candidates that have none."""
    if not isinstance(record, Mapping) or not isinstance(record.get("entities"), list):
        return record

    entities: list[object] = []
    for entity in record["entities"]:
        has_fields = isinstance(entity, Mapping)
        entities.append({"type": _NO_TYPE, **entity} if has_fields else entity)
    return {**record, "entities": entities}


@prompts("spacy-cascade.GPTNER.v1")
def gptner(
    examples: list[dict[str, object]] | None = None, system: str = SYSTEM
) -> GPTNERTemplate:
    """GPT-NER's prompts in the model's chat format: see `GPTNERTemplate`.

    examples (Optional[list]): Demonstrations, {"text": ..., "entities": [{"name": ...,
        "type": ...}]}.
    system (str): The system prompt.
    RAISES CascadeError: C051 for a wrong demonstration.
    """
    return GPTNERTemplate(read_demos(examples), system)


@prompts("spacy-cascade.PromptNER.v1")
def promptner(
    reasons: int = 32,
    note: str = "Dates, times, adjectives and verbs are not entities.",
    examples: list[dict[str, object]] | None = None,
    system: str = SYSTEM,
) -> PromptNERTemplate:
    """PromptNER's prompt in the model's chat format: see `PromptNERTemplate`.

    reasons (int): Most tokens of a reason. 0: none is asked for.
    note (str): What else the definition of an entity says.
    examples (Optional[list]): Demonstrations, {"text": ..., "entities": [{"name": ...,
        "type": ..., "reason": ...}]}; without "type" for a candidate that is no entity.
    system (str): The system prompt.
    RAISES CascadeError: C021 for a negative number of tokens, C051 for a wrong demonstration.
    """
    if reasons < 0:
        raise CascadeError(
            Errors.C021.format(option="reasons", rule="0 or more", value=reasons)
        )
    return PromptNERTemplate(reasons, note, read_candidates(examples), system)
