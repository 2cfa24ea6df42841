"""Prompts for pretrained chat models, in the model's own chat format."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from ..decoding.automaton import Guess
from ..decoding.copy import Job
from ..decoding.native import NativeAutomaton, Vocabulary
from ..doc.words import find_name
from ..errors import CascadeError, Errors
from ..registry import prompts
from ..taxonomy import TypePath
from ..taxonomy.names import normalize_name, normalize_path, single_spaced
from ..types import MentionQuery, Unit
from .demonstrations import NO_SHOTS, Demo, Shots, marked, read_shots

INSTRUCTION = "Copy the text and put ## before and after every named entity."
SYSTEM = "You are a helpful assistant."
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
_HOLE = "CASCADE-USER-TURN"
_ANY = "any type"
_LEVELS = ("first", "second", "third")
_vocabularies: WeakKeyDictionary[Any, Vocabulary] = WeakKeyDictionary()
# Token ids before and behind the user's turn, and the end token, by system prompt.
# Weak: a model must go when its pipeline does.
_frames: WeakKeyDictionary[Any, dict[str, tuple[list[int], list[int], int]]] = (
    WeakKeyDictionary()
)


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
    """What ends an answer: in some chat formats (Gemma's, Qwen's with a base model) it
    is not the token that ends a sequence.
    """
    tokenizer = lm.tokenizer
    if getattr(tokenizer, "chat_template", None):
        turns = [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": _HOLE},
        ]
        behind = tokenizer.apply_chat_template(turns, tokenize=False).split(_HOLE)[-1]
        found = lm.encode(behind, control=True)[:1]
        if found and found[0] in tokenizer.added_tokens_decoder:
            return int(found[0])
    return None


def end_of_sequence(lm: Any) -> int:
    """RAISES CascadeError: C015 if the tokenizer has no such token."""
    end = lm.tokenizer.eos_token_id
    if end is None:
        raise CascadeError(
            Errors.C015.format(
                path=lm.name, what="an end-of-sequence token", needed="eos_token"
            )
        )
    return int(end)


def _chat(tokenizer: Any, system: str, shots: int = 0) -> str:
    """A conversation in the model's own format, with holes for what is said in it.

    shots (int): Questions with their answers that are shown before the user's text.
    """
    from jinja2 import TemplateError

    options = {"tokenize": False, "add_generation_prompt": True}
    roles = [*["user", "assistant"] * shots, "user"]
    turns = [{"role": role, "content": _HOLE} for role in roles]
    try:
        return str(
            tokenizer.apply_chat_template(
                [{"role": "system", "content": system}, *turns], **options
            )
        )
    except TemplateError:  # formats without a system turn (Gemma's, for one) refuse it
        turns[0] = {"role": "user", "content": f"{system}\n\n{_HOLE}"}
        return str(tokenizer.apply_chat_template(turns, **options))


def shown(lm: Any, system: str, shots: Sequence[tuple[str, str]]) -> list[int]:
    """Token ids up to the user's turn, behind these questions with their answers.

    What they say is never read as a control token.
    """
    if not shots:
        return frame(lm, system)[0]
    tokenizer = lm.tokenizer
    if getattr(tokenizer, "chat_template", None):
        parts = _chat(tokenizer, system, len(shots)).split(_HOLE)[:-1]
    else:
        parts = [f"{system}\n\n", *["\n", "\n\n"] * len(shots)]
    out = lm.encode(parts[0], control=True)
    for said, part in zip(itertools.chain.from_iterable(shots), parts[1:], strict=True):
        out = [*out, *lm.encode(said), *lm.encode(part, control=True)]
    return out


@dataclass(frozen=True)
class ChatExtract:
    """User: instruction and text. Assistant: the text with `##` around every mention.

    user (str): With {text}, and {types} if the label set is to be named.
    shots (Shots): Demonstrations, asked and answered in turns before the text.
    """

    system: str = "You are a helpful assistant."
    user: str = "{text}"
    marker: str = "##"
    shots: Shots = NO_SHOTS

    @property
    def labels(self) -> bool:
        return "{types}" in self.user

    def _user(self, text: str, labels: Sequence[str]) -> str:
        return self.user.format(
            text=text, types=", ".join(map(single_spaced, labels)) or _ANY
        )

    def prompt(self, lm: Any, unit: Unit) -> list[int]:
        """Token ids up to where the answer begins."""
        tail = frame(lm, self.system)[1]
        return [
            *self._head(lm, unit),
            *lm.encode(self._user(unit.text, unit.labels)),
            *tail,
        ]

    def _head(self, lm: Any, unit: Unit) -> list[int]:
        """Token ids up to the user's turn."""
        chosen = self.shots.of(unit.text)
        return shown(
            lm, self.system, [self._shot(demo, unit.labels) for demo in chosen]
        )

    def _shot(self, demo: Demo, labels: Sequence[str]) -> tuple[str, str]:
        """A demonstration as it is asked and answered: its mentions of these types
        (all, if none are named) marked.
        """
        wanted = set(map(normalize_name, labels))
        names = [name for name, path in demo.paths if not wanted or wanted & set(path)]
        return self._user(demo.text, labels), marked(
            demo.text, names, self.marker, self.marker
        )

    def job(self, lm: Any, unit: Unit, guess: Guess) -> Job:
        end = frame(lm, self.system)[2]
        automaton = NativeAutomaton(
            unit, vocabulary(lm), lm.encode, marker=self.marker, end=end
        )
        return Job(unit, self.prompt(lm, unit), automaton, guess)

    def text_range(self, lm: Any, job: Job) -> range:
        return self.user_turn(lm, job.unit, job.prompt)

    def user_turn(self, lm: Any, unit: Unit, prompt: Sequence[int]) -> range:
        """Where the user's turn stands in the prompt of a unit."""
        return range(
            len(self._head(lm, unit)), len(prompt) - len(frame(lm, self.system)[1])
        )

    def cost(self, lm: Any, segment: str) -> int:
        return 2 * len(lm.encode(segment)) + 1

    def overhead(self, lm: Any, labels: Sequence[str] = ()) -> int:
        head = shown(
            lm, self.system, [self._shot(demo, labels) for demo in self.shots.longest]
        )
        tail = frame(lm, self.system)[1]
        return len(head) + len(tail) + len(lm.encode(self._user("", labels))) + 8


@dataclass(frozen=True)
class ChatClassify:
    """User: a question with the type list and the marked mention. Assistant: the type.

    user (str): With {types}, {text}, {mention}, {marked} (the text with this mention
        marked), {level} (first, second, third) and {unknown}.
    unknown (str): Sentence that is put in when `unknown` is in the list.
    shots (Shots): Demonstrations, asked and answered in turns before the question: of
        each the first mention that has a type in the list.
    """

    system: str = "You are a helpful assistant."
    user: str = (
        "Entity types: {types}.\nText: {text}\nWhich type does the entity marked with ##"
        " have?{unknown}\n{marked}"
    )
    unknown: str = " If none of them applies, answer unknown."
    continues: bool = False
    labels: bool = False
    shots: Shots = NO_SHOTS

    def prompt(
        self, lm: Any, asked: MentionQuery, parent: TypePath, types: list[str]
    ) -> tuple[list[int], None]:
        """RETURNS: token ids, and None: positions are counted on."""
        unit = asked.unit
        begin, stop = unit.tokens[asked.start][0], unit.tokens[asked.end - 1][1]
        question = self._question(unit.text, begin, stop, parent, types)
        shots = [self._shot(demo, parent, types) for demo in self.shots.of(unit.text)]
        head = shown(lm, self.system, [shot for shot in shots if shot is not None])
        return [*head, *lm.encode(question), *frame(lm, self.system)[1]], None

    def _question(
        self, text: str, begin: int, stop: int, parent: TypePath, types: list[str]
    ) -> str:
        mention = text[begin:stop]
        return self.user.format(
            types=", ".join(single_spaced(t) for t in types if t != "unknown"),
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
        above, at = normalize_path(parent), 0
        for name, path in demo.paths:
            begin = find_name(demo.text, name, at)
            at = begin + len(name) if begin >= 0 else at
            below = (
                path[len(above)]
                if path[: len(above)] == above and len(path) > len(above)
                else path[-1]
            )
            if begin >= 0 and below in known:
                return self._question(demo.text, begin, at, parent, types), known[below]
        return None

    def answer(self, lm: Any, name: str) -> list[int]:
        return lm.encode(single_spaced(name), control=True)  # type: ignore[no-any-return]

    def end_id(self, lm: Any) -> int:
        return frame(lm, self.system)[2]

    def text_range(self, lm: Any, unit: Unit) -> range:
        return range(0)


@prompts("spacy-cascade.ChatExtract.v1")
def chat_extract(
    system: str = SYSTEM,
    instruction: str = INSTRUCTION,
    examples: list[dict[str, Any]] | str | None = None,
    n_examples: int = 3,
    embedder: Callable[[Sequence[str]], Any] | None = None,
) -> ChatExtract:
    """For pretrained instruct models that you fine-tune or use as they are.

    examples, n_examples, embedder: Demonstrations, see `prompts.demos.read_shots`.
    RAISES CascadeError: C021, C051.
    """
    user = instruction.replace("{", "{{").replace("}", "}}") + "\n{text}"
    return ChatExtract(system, user, shots=read_shots(examples, n_examples, embedder))


@prompts("spacy-cascade.ChatLabeledExtract.v1")
def chat_labeled_extract(
    system: str = SYSTEM,
    instruction: str = "Copy the text and put ## before and after every mention of these types: {types}.",
    examples: list[dict[str, Any]] | str | None = None,
    n_examples: int = 3,
    embedder: Callable[[Sequence[str]], Any] | None = None,
) -> ChatExtract:
    """Label-aware: the instruction names the types, for domains whose entities are no usual ones.

    instruction (str): With {types}.
    examples, n_examples, embedder: Demonstrations, see `prompts.demos.read_shots`.
    RAISES CascadeError: C020 for an instruction without types, C021, C051.
    """
    if "{types}" not in instruction:
        raise CascadeError(
            Errors.C020.format(
                option="instruction", value=instruction, choices="a text with {types}"
            )
        )
    kept = (
        instruction.replace("{", "{{")
        .replace("}", "}}")
        .replace("{{types}}", "{types}")
    )
    return ChatExtract(
        system, kept + "\n{text}", shots=read_shots(examples, n_examples, embedder)
    )


@prompts("spacy-cascade.ChatClassify.v1")
def chat_classify(
    system: str = SYSTEM,
    user: str = ChatClassify.user,
    unknown: str = ChatClassify.unknown,
    examples: list[dict[str, Any]] | str | None = None,
    n_examples: int = 3,
    embedder: Callable[[Sequence[str]], Any] | None = None,
) -> ChatClassify:
    """List first, so that the prompts of a corpus share a long prefix.

    user (str), unknown (str): Wording, see `ChatClassify`.
    examples, n_examples, embedder: Demonstrations, see `prompts.demos.read_shots`.
    RAISES CascadeError: C021, C051, C108 for a wording with other names in braces.
    """
    shots = read_shots(examples, n_examples, embedder)
    return ChatClassify(system, _checked(user), unknown, shots=shots)


def _checked(user: str) -> str:
    """RAISES CascadeError: C108 if a question has other names in braces, or does not
    say which mention it is about.
    """
    try:
        found = {
            name for _, name, _, _ in string.Formatter().parse(user) if name is not None
        }
    except ValueError as err:
        raise CascadeError(
            Errors.C108.format(found=user, why=err, known=", ".join(_PARTS))
        ) from err
    unknown = sorted(found - set(_PARTS))
    if unknown:
        why = "there is nothing to put in for {" + unknown[0] + "}"
    elif not found & {"mention", "marked"}:
        why = "it has neither {mention} nor {marked}"
    else:
        return user
    raise CascadeError(Errors.C108.format(found=user, why=why, known=", ".join(_PARTS)))


@prompts("spacy-cascade.CascadeNERExtract.v1")
def cascadener_extract(
    system: str = SYSTEM,
    examples: list[dict[str, Any]] | str | None = None,
    n_examples: int = 3,
    embedder: Callable[[Sequence[str]], Any] | None = None,
) -> ChatExtract:
    """Stage 1 exactly as the released CascadeNER checkpoints were trained: the sentence alone.

    examples, n_examples, embedder: Demonstrations, see `prompts.demos.read_shots`.
        RAISES CascadeError: C021, C051.
    """
    return ChatExtract(system, shots=read_shots(examples, n_examples, embedder))


@prompts("spacy-cascade.CascadeNERClassify.v1")
def cascadener_classify(
    system: str = SYSTEM,
    user: str = _RELEASED,
    unknown: str = _NOT_APPLIED,
    examples: list[dict[str, Any]] | str | None = None,
    n_examples: int = 3,
    embedder: Callable[[Sequence[str]], Any] | None = None,
) -> ChatClassify:
    """Stage 2 exactly as the released CascadeNER checkpoints ask it: the sentence is
    not marked, so two occurrences of one name are asked about in the very same words.
    They were trained so; `CascadeNERPaper.v1` tells them apart.

    The settings are those of `ChatClassify.v1`. RAISES CascadeError: C021, C051, C108.
    """
    return chat_classify(system, user, unknown, examples, n_examples, embedder)


@prompts("spacy-cascade.CascadeNERPaper.v1")
def cascadener_paper(
    system: str = SYSTEM,
    user: str = _PAPER,
    unknown: str = _NOT_APPLIED,
    examples: list[dict[str, Any]] | str | None = None,
    n_examples: int = 3,
    embedder: Callable[[Sequence[str]], Any] | None = None,
) -> ChatClassify:
    """Stage 2 as the CascadeNER paper prints it (figures 5 and 8): the mention is
    marked in the sentence, too.

    The settings are those of `ChatClassify.v1`. RAISES CascadeError: C021, C051, C108.
    """
    return chat_classify(system, user, unknown, examples, n_examples, embedder)
