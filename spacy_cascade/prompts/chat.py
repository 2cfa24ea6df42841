"""Prompts for pretrained chat models, in the model's own chat format.

A template is a dataclass, and its fields are the options of the config. To ask in other
words, take a subclass of `MarkedCopy` or `ChatClassify` and register it.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ..decoding.automaton import Guess
from ..decoding.copy import Job
from ..decoding.native import NativeAutomaton
from ..doc.words import find_name
from ..errors import CascadeError, Errors
from ..registry import prompts
from ..taxonomy import TypePath
from ..taxonomy.names import normalize_name, normalize_path, single_spaced
from ..types import CausalLM, MentionQuery, Unit
from .chat_format import SYSTEM, frame, shown, vocabulary
from .demonstrations import (
    NO_SHOTS,
    Demo,
    Embedder,
    Examples,
    Shots,
    marked,
    read_shots,
)

INSTRUCTION = "Copy the text and put ## before and after every named entity."
_LABELED_INSTRUCTION = (
    "Copy the text and put ## before and after every mention of these types: {types}."
)
_QUESTION = (
    "Entity types: {types}.\nText: {text}\nWhich type does the entity marked with ##"
    " have?{unknown}\n{marked}"
)
_RELEASED = (
    'The ##{mention}## in the sentence: "{text}" belong to which entity in the {level} list:'
    " {types}?{unknown}"
)
_PAPER = (
    '##{mention}## in the sentence "{marked}" belong to which entity in the list:'
    " {types}?{unknown}"
)
_NOT_APPLIED = " If none of them applied, return unknown."
# What a question may have in braces.
_PARTS = ("level", "marked", "mention", "text", "types", "unknown")
_ANY = "any type"
_LEVELS = ("first", "second", "third")


@dataclass(frozen=True)
class ChatTemplate:
    """Options that all templates for chat models have.

    system (str): The system prompt.
    examples (Optional[list | str]): Demonstrations, which are asked and answered in
        turns before the text. Records or a file, see `demonstrations.read_shots`.
    n_examples (int): Number of them that are shown.
    embedder (Optional[Callable]): `@embedders`. With it, the examples nearest to the
        text are shown, the nearest last; else the first ones.
    RAISES CascadeError: C021, C051.
    """

    system: str = SYSTEM
    examples: Examples = field(default=None, compare=False, repr=False, kw_only=True)
    n_examples: int = field(default=3, compare=False, repr=False, kw_only=True)
    embedder: Embedder | None = field(
        default=None, compare=False, repr=False, kw_only=True
    )
    # what was read of the examples
    shots: Shots = field(default=NO_SHOTS, init=False)

    def __post_init__(self) -> None:
        shots = read_shots(self.examples, self.n_examples, self.embedder)
        object.__setattr__(self, "shots", shots)


# -- Stage 1


@dataclass(frozen=True)
class MarkedCopy(ChatTemplate):
    """User: what `ask` says. Assistant: the text with a marker around every mention.

    marker (str): Stands before and behind a mention.
    labels (bool): Whether `ask` names the types.
    """

    marker: ClassVar[str] = "##"
    labels: ClassVar[bool] = False

    def ask(self, text: str, labels: Sequence[str]) -> str:
        """The user's turn for a text.

        labels (Sequence[str]): Types of the first level; () if they are not named.
        """
        raise NotImplementedError

    def prompt(self, lm: CausalLM, unit: Unit) -> list[int]:
        """Token ids up to where the answer begins."""
        question = lm.encode(self.ask(unit.text, unit.labels))
        return [*self._head(lm, unit), *question, *frame(lm, self.system).tail]

    def job(self, lm: CausalLM, unit: Unit, guess: Guess) -> Job:
        end = frame(lm, self.system).end
        automaton = NativeAutomaton(
            unit, vocabulary(lm), lm.encode, marker=self.marker, end=end
        )
        return Job(unit, self.prompt(lm, unit), automaton, guess)

    def text_range(self, lm: CausalLM, job: Job) -> range:
        return self.user_turn(lm, job.unit, job.prompt)

    def user_turn(self, lm: CausalLM, unit: Unit, prompt: Sequence[int]) -> range:
        """Where the user's turn stands in the prompt of a unit."""
        first = len(self._head(lm, unit))
        return range(first, len(prompt) - len(frame(lm, self.system).tail))

    def cost(self, lm: CausalLM, segment: str) -> int:
        return 2 * len(lm.encode(segment)) + 1

    def overhead(self, lm: CausalLM, labels: Sequence[str] = ()) -> int:
        head = self._shown(lm, self.shots.longest, labels)
        question = lm.encode(self.ask("", labels))
        return len(head) + len(frame(lm, self.system).tail) + len(question) + 8

    def _head(self, lm: CausalLM, unit: Unit) -> list[int]:
        """Token ids up to the user's turn."""
        return self._shown(lm, self.shots.of(unit.text), unit.labels)

    def _shown(
        self, lm: CausalLM, demos: Iterable[Demo], labels: Sequence[str]
    ) -> list[int]:
        shots = [self._shot(demo, labels) for demo in demos]
        return shown(lm, self.system, shots)

    def _shot(self, demo: Demo, labels: Sequence[str]) -> tuple[str, str]:
        """A demonstration as it is asked and answered.

        Its mentions of these types are marked; all, if none are named.
        """
        types = {normalize_name(label) for label in labels}
        names = [name for name, path in demo.paths if not types or types & set(path)]
        answer = marked(demo.text, names, self.marker, self.marker)
        return self.ask(demo.text, labels), answer


@prompts("spacy-cascade.ChatExtract.v1")
@dataclass(frozen=True)
class ChatExtract(MarkedCopy):
    """For pretrained instruct models that you fine-tune or use as they are.

    instruction (str): Stands before the text.
    """

    instruction: str = INSTRUCTION

    def ask(self, text: str, labels: Sequence[str]) -> str:
        return f"{self.instruction}\n{text}"


@prompts("spacy-cascade.ChatLabeledExtract.v1")
@dataclass(frozen=True)
class ChatLabeledExtract(MarkedCopy):
    """Label-aware: the instruction names the types. Meant for domains whose entities
    are no usual ones.

    instruction (str): Stands before the text; with {types}.
    RAISES CascadeError: C020 for an instruction without types, C021, C051.
    """

    labels: ClassVar[bool] = True
    instruction: str = _LABELED_INSTRUCTION

    def __post_init__(self) -> None:
        if "{types}" not in self.instruction:
            raise CascadeError(
                Errors.C020.format(
                    option="instruction",
                    value=self.instruction,
                    choices="a text with {types}",
                )
            )
        super().__post_init__()

    def ask(self, text: str, labels: Sequence[str]) -> str:
        types = ", ".join(map(single_spaced, labels)) or _ANY
        return self.instruction.replace("{types}", types) + f"\n{text}"


@prompts("spacy-cascade.CascadeNERExtract.v1")
@dataclass(frozen=True)
class CascadeNERExtract(MarkedCopy):
    """Stage 1 exactly as the released CascadeNER checkpoints were trained: the sentence
    alone.
    """

    def ask(self, text: str, labels: Sequence[str]) -> str:
        return text


# -- Stage 2


@prompts("spacy-cascade.ChatClassify.v1")
@dataclass(frozen=True)
class ChatClassify(ChatTemplate):
    """User: a question with the type list and the marked mention. Assistant: the type.

    The list comes first, so that the prompts of a corpus share a long prefix. Of each
    demonstration, the first mention is shown that has a type in the list.

    user (str): The question, with {types}, {text}, {mention}, {marked} (the text with
        this mention marked), {level} (first, second, third) and {unknown}.
    unknown (str): What {unknown} says when `unknown` is in the list.
    RAISES CascadeError: C021, C051, C108 for a question with other names in braces.
    """

    continues: ClassVar[bool] = False
    labels: ClassVar[bool] = False
    user: str = _QUESTION
    unknown: str = " If none of them applies, answer unknown."

    def __post_init__(self) -> None:
        super().__post_init__()
        check_question(self.user)

    def prompt(
        self, lm: CausalLM, asked: MentionQuery, parent: TypePath, types: list[str]
    ) -> tuple[list[int], None]:
        """RETURNS: token ids, and None: positions are counted on."""
        unit = asked.unit
        begin = unit.tokens[asked.start][0]
        stop = unit.tokens[asked.end - 1][1]
        question = self._question(unit.text, begin, stop, parent, types)

        found = [self._shot(demo, parent, types) for demo in self.shots.of(unit.text)]
        shots = [shot for shot in found if shot is not None]
        head = shown(lm, self.system, shots)
        return [*head, *lm.encode(question), *frame(lm, self.system).tail], None

    def _question(
        self, text: str, begin: int, stop: int, parent: TypePath, types: list[str]
    ) -> str:
        """begin, stop (int): Characters of the mention."""
        mention = text[begin:stop]
        listed = [single_spaced(name) for name in types if name != "unknown"]
        return self.user.format(
            types=", ".join(listed),
            text=text,
            mention=mention,
            marked=f"{text[:begin]}##{mention}##{text[stop:]}",
            level=_LEVELS[min(len(parent), 2)],
            unknown=self.unknown if "unknown" in types else "",
        )

    def _shot(
        self, demo: Demo, parent: TypePath, types: list[str]
    ) -> tuple[str, str] | None:
        """A demonstration as it is asked and answered; None if it has nothing to do
        with this list.
        """
        known = {normalize_name(name): single_spaced(name) for name in types}
        above = normalize_path(parent)
        at = 0
        for name, path in demo.paths:
            begin = find_name(demo.text, name, at)
            if begin < 0:
                continue

            at = begin + len(name)
            is_below = len(path) > len(above) and path[: len(above)] == above
            kind = path[len(above)] if is_below else path[-1]
            if kind in known:
                question = self._question(demo.text, begin, at, parent, types)
                return question, known[kind]
        return None

    def answer(self, lm: CausalLM, name: str) -> list[int]:
        return lm.encode(single_spaced(name), control=True)

    def end_id(self, lm: CausalLM) -> int:
        return frame(lm, self.system).end

    def text_range(self, lm: CausalLM, unit: Unit) -> range:
        return range(0)


@prompts("spacy-cascade.CascadeNERClassify.v1")
@dataclass(frozen=True)
class CascadeNERClassify(ChatClassify):
    """Stage 2 exactly as the released CascadeNER checkpoints ask it.

    The sentence is not marked, so two occurrences of one name are asked about in the
    very same words. The checkpoints were trained so; `CascadeNERPaper` tells the two
    apart. The options are those of `ChatClassify`.
    """

    user: str = _RELEASED
    unknown: str = _NOT_APPLIED


@prompts("spacy-cascade.CascadeNERPaper.v1")
@dataclass(frozen=True)
class CascadeNERPaper(ChatClassify):
    """Stage 2 as the CascadeNER paper prints it (figures 5 and 8): the mention is
    marked in the sentence, too. The options are those of `ChatClassify`.
    """

    user: str = _PAPER
    unknown: str = _NOT_APPLIED


def check_question(user: str) -> None:
    """Check the wording of a question.

    RAISES CascadeError: C108 if it has other names in braces, or does not say which
        mention it is about.
    """
    why: object = ""
    try:
        parts = list(string.Formatter().parse(user))
    except ValueError as err:
        why = err
    else:
        found = {name for _, name, _, _ in parts if name is not None}
        unknown = sorted(found - set(_PARTS))
        if unknown:
            why = "there is nothing to put in for {" + unknown[0] + "}"
        elif not found & {"mention", "marked"}:
            why = "it has neither {mention} nor {marked}"

    if why:
        known = ", ".join(_PARTS)
        raise CascadeError(Errors.C108.format(found=user, why=why, known=known))
