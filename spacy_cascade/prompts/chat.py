"""Prompts for pretrained chat models, in the model's own chat format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from ..decoding.automaton import Guess
from ..decoding.copy import Job
from ..decoding.native import NativeAutomaton, Vocabulary
from ..errors import CascadeError, Errors
from ..names import single_spaced
from ..registry import prompts
from ..taxonomy import TypePath
from ..ty import Asked, Unit

INSTRUCTION = "Copy the text and put ## before and after every named entity."
_HOLE = "CASCADE-USER-TURN"
_ANY = "any type"
_LEVELS = ("first", "second", "third")
_vocabularies: WeakKeyDictionary[Any, Vocabulary] = WeakKeyDictionary()
# Token ids before and behind the user's turn, and the end token, by system prompt. Weak: a model must go when its
# pipeline does.
_frames: WeakKeyDictionary[Any, dict[str, tuple[list[int], list[int], int]]] = WeakKeyDictionary()


def vocabulary(lm: Any) -> Vocabulary:
    """The byte table of a model's tokenizer, built once."""
    found = _vocabularies.get(lm)
    if found is None:
        found = _vocabularies[lm] = Vocabulary(lm.token_bytes())
    return found


def frame(lm: Any, system: str) -> tuple[list[int], list[int], int]:
    """Token ids before and behind the user's turn, and the id of the token that ends the answer.

    RAISES CascadeError: C015 if the tokenizer has no token to end a turn with.
    """
    known = _frames.setdefault(lm, {})
    if system not in known:
        known[system] = _frame(lm, system)
    return known[system]


def _frame(lm: Any, system: str) -> tuple[list[int], list[int], int]:
    tokenizer = lm.tokenizer
    end = _end_of_turn(lm)
    if end is None:
        end = end_of_sequence(lm)
    if not getattr(tokenizer, "chat_template", None):
        head, tail = f"{system}\n\n", "\n"
    else:
        head, tail = _chat(tokenizer, system).split(_HOLE)
    return lm.encode(head, control=True), lm.encode(tail, control=True), end


def _end_of_turn(lm: Any) -> int | None:
    """What ends an answer: in some chat formats (Gemma's, Qwen's with a base model) it is not the token that ends a sequence."""
    tokenizer = lm.tokenizer
    if getattr(tokenizer, "chat_template", None):
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _HOLE}]
        behind = tokenizer.apply_chat_template(turns, tokenize=False).split(_HOLE)[-1]
        found = lm.encode(behind, control=True)[:1]
        if found and found[0] in tokenizer.added_tokens_decoder:
            return int(found[0])
    return None


def end_of_sequence(lm: Any) -> int:
    """RAISES CascadeError: C015 if the tokenizer has no such token."""
    end = lm.tokenizer.eos_token_id
    if end is None:
        raise CascadeError(Errors.C015.format(path=lm.name, what="an end-of-sequence token", needed="eos_token"))
    return int(end)


def _chat(tokenizer: Any, system: str) -> str:
    """A conversation in the model's own format, with a hole for the user's text."""
    from jinja2 import TemplateError

    options = {"tokenize": False, "add_generation_prompt": True}
    turns = [{"role": "system", "content": system}, {"role": "user", "content": _HOLE}]
    try:
        return str(tokenizer.apply_chat_template(turns, **options))
    except TemplateError:  # formats without a system turn (Gemma's, for one) refuse it
        return str(tokenizer.apply_chat_template([{"role": "user", "content": f"{system}\n\n{_HOLE}"}], **options))


@dataclass(frozen=True)
class ChatExtract:
    """User: instruction and text. Assistant: the text with `##` around every mention.

    user (str): With {text}, and {types} if the label set is to be named.
    """

    system: str = "You are a helpful assistant."
    user: str = "{text}"
    marker: str = "##"

    @property
    def labels(self) -> bool:
        return "{types}" in self.user

    def _user(self, text: str, labels: Sequence[str]) -> str:
        return self.user.format(text=text, types=", ".join(map(single_spaced, labels)) or _ANY)

    def prompt(self, lm: Any, unit: Unit) -> list[int]:
        """Token ids up to where the answer begins."""
        head, tail, _ = frame(lm, self.system)
        return [*head, *lm.encode(self._user(unit.text, unit.labels)), *tail]

    def job(self, lm: Any, unit: Unit, guess: Guess) -> Job:
        end = frame(lm, self.system)[2]
        automaton = NativeAutomaton(unit, vocabulary(lm), lm.encode, marker=self.marker, end=end)
        return Job(unit, self.prompt(lm, unit), automaton, guess)

    def text_range(self, lm: Any, job: Job) -> range:
        return self.user_turn(lm, job.prompt)

    def user_turn(self, lm: Any, prompt: Sequence[int]) -> range:
        """Where the user's turn stands in a prompt."""
        head, tail, _ = frame(lm, self.system)
        return range(len(head), len(prompt) - len(tail))

    def cost(self, lm: Any, segment: str) -> int:
        return 2 * len(lm.encode(segment)) + 1

    def overhead(self, lm: Any, labels: Sequence[str] = ()) -> int:
        head, tail, _ = frame(lm, self.system)
        return len(head) + len(tail) + len(lm.encode(self._user("", labels))) + 8


@dataclass(frozen=True)
class ChatClassify:
    """User: a question with the type list and the marked mention. Assistant: the type.

    user (str): With {types}, {text}, {mention}, {marked} (the text with this mention marked), {level} (first, second,
        third) and {unknown}.
    unknown (str): Sentence that is put in when `unknown` is in the list.
    """

    system: str = "You are a helpful assistant."
    user: str = (
        "Entity types: {types}.\nText: {text}\nWhich type does the entity marked with ## have?{unknown}\n{marked}"
    )
    unknown: str = " If none of them applies, answer unknown."
    continues: bool = False
    labels: bool = False

    def prompt(self, lm: Any, asked: Asked, parent: TypePath, types: list[str]) -> tuple[list[int], None]:
        """RETURNS: token ids, and None: positions are counted on."""
        head, tail, _ = frame(lm, self.system)
        unit = asked.unit
        begin, stop = unit.tokens[asked.start][0], unit.tokens[asked.end - 1][1]
        text, mention = unit.text, unit.text[begin:stop]
        question = self.user.format(
            types=", ".join(single_spaced(t) for t in types if t != "unknown"),
            text=text,
            mention=mention,
            marked=f"{text[:begin]}##{mention}##{text[stop:]}",
            level=_LEVELS[min(len(parent), 2)],
            unknown=self.unknown if "unknown" in types else "",
        )
        return [*head, *lm.encode(question), *tail], None

    def answer(self, lm: Any, name: str) -> list[int]:
        return lm.encode(single_spaced(name), control=True)  # type: ignore[no-any-return]

    def end_id(self, lm: Any) -> int:
        return frame(lm, self.system)[2]

    def text_range(self, lm: Any, unit: Unit) -> range:
        return range(0)


@prompts("spacy-cascade.ChatExtract.v1")
def chat_extract(
    system: str = "You are a helpful assistant.",
    instruction: str = INSTRUCTION,
) -> ChatExtract:
    """For pretrained instruct models that you fine-tune or use as they are."""
    return ChatExtract(system=system, user=(instruction.replace("{", "{{").replace("}", "}}") + "\n{text}"))


@prompts("spacy-cascade.ChatLabeledExtract.v1")
def chat_labeled_extract(
    system: str = "You are a helpful assistant.",
    instruction: str = "Copy the text and put ## before and after every mention of these types: {types}.",
) -> ChatExtract:
    """Label-aware: the instruction names the types, for domains whose entities are no usual ones.

    instruction (str): With {types}. RAISES CascadeError: C020 without.
    """
    if "{types}" not in instruction:
        raise CascadeError(Errors.C020.format(option="instruction", value=instruction, choices="a text with {types}"))
    kept = instruction.replace("{", "{{").replace("}", "}}").replace("{{types}}", "{types}")
    return ChatExtract(system=system, user=kept + "\n{text}")


@prompts("spacy-cascade.ChatClassify.v1")
def chat_classify(system: str = "You are a helpful assistant.") -> ChatClassify:
    """List first, so that the prompts of a corpus share a long prefix."""
    return ChatClassify(system=system)


@prompts("spacy-cascade.CascadeNERExtract.v1")
def cascadener_extract() -> ChatExtract:
    """Stage 1 exactly as the released CascadeNER checkpoints were trained: the sentence alone."""
    return ChatExtract()


@prompts("spacy-cascade.CascadeNERClassify.v1")
def cascadener_classify() -> ChatClassify:
    """Stage 2 exactly as the released CascadeNER checkpoints ask it."""
    return ChatClassify(
        user='The ##{mention}## in the sentence: "{text}" belong to which entity in the {level} list: {types}?{unknown}',
        unknown=" If none of them applied, return unknown.",
    )
