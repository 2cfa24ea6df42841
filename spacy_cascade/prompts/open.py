"""Single-stage prompts: the label set in, all mentions with their labels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..decoding.answers import AnswerAutomaton
from ..decoding.listing import ListJob
from ..decoding.readings import Grammar
from ..decoding.symbols import Labels, TextIndex, byte_index, byte_labels
from ..errors import CascadeError, Errors
from ..registry import prompts
from ..taxonomy import normalize_name
from ..types import CausalLM, ListedSpan, Unit
from .chat_format import SYSTEM, end_of_sequence, frame, tokenizer_of, turn, vocabulary
from .compact import encode_segments, joined
from .demonstrations import Demo, read_demos
from .labelset import LabelSet
from .wordings import WORDINGS

EMPTY = " None"
_GRAMMAR = Grammar(lead=b" ", colon=b": ", separator=b"; ", empty=b"None")


@dataclass(frozen=True)
class B2NEROpen:
    """B2NER's prompt (arXiv 2406.11192): plain text or, with `chat`, a user's turn in
    the model's chat format.

    language (str): Of the instruction, see `wordings`; auto: Chinese for a text with
        Han characters and no Kana, else English, as in B2NERD.
    descriptions (bool): Add the taxonomy's label descriptions, where it has any.
    demos (tuple[Demo, ...]): Shown before the text.
    """

    language: str = "auto"
    descriptions: bool = False
    demos: tuple[Demo, ...] = ()
    chat: bool = False
    system: str = SYSTEM
    full_paths: bool = True

    def job(
        self, lm: CausalLM, unit: Unit, labels: LabelSet, *, nested: bool = False
    ) -> ListJob:
        table = vocabulary(lm)
        automaton = AnswerAutomaton(
            byte_index(unit),
            byte_labels(labels.names),
            _GRAMMAR,
            vocabulary=table,
            end=self._end(lm),
            nested=nested,
        )
        return ListJob(unit, self._prompt(lm, unit.text, labels), automaton)

    def answer(
        self, lm: CausalLM, job: ListJob, labels: LabelSet, spans: Sequence[ListedSpan]
    ) -> list[int]:
        """Token ids of the right answer, in the model's own tokenization, with the end token."""
        unit = job.unit
        pairs = []
        for start, end, label in spans:
            first, last = unit.tokens[start], unit.tokens[end - 1]
            pairs.append((unit.text[first[0] : last[1]], labels.names[label]))
        written = vocabulary(lm).spell(_listed(pairs), lm.encode)
        return [*written, self._end(lm)]

    def text(self, text: str, labels: LabelSet) -> str:
        """The prompt for a text."""
        language = _language(text) if self.language == "auto" else self.language
        w = WORDINGS[language]
        described = self._described(labels, w.means)
        out = [w.described if described else w.task]
        if self.demos:
            out.append(w.examples)

        # the Chinese few-shot instruction alone has a space before its line breaks
        line = " \n" if self.demos else w.break_line
        out += [line, w.labels, " ", ", ".join(labels.names)]
        if described:
            out += [line, w.description, " ", "; ".join(described)]
        out.append(" \n\n" if self.demos else f"{w.set_end}\n\n")

        for demo in self.demos:
            pairs = [(name, labels.names[i]) for name, i in demo.known(labels)]
            out += [w.text, " ", demo.text, " \n", w.answer, _listed(pairs), " \n\n"]
        out += [w.text, " ", text, " \n", w.answer]
        return "".join(out)

    def _described(self, labels: LabelSet, means: str) -> list[str]:
        """Labels with their descriptions, if they are shown."""
        out: list[str] = []
        if not self.descriptions:
            return out
        for name, description in zip(labels.names, labels.descriptions, strict=True):
            if description:
                out.append(f'{name} {means} "{description}"')
        return out

    def _prompt(self, lm: CausalLM, text: str, labels: LabelSet) -> list[int]:
        asked = self.text(text, labels)
        if self.chat:
            return turn(lm, self.system, asked)
        begin = tokenizer_of(lm).bos_token_id
        return [*([] if begin is None else [begin]), *lm.encode(asked)]

    def _end(self, lm: CausalLM) -> int:
        return frame(lm, self.system)[2] if self.chat else end_of_sequence(lm)

    def cost(self, lm: CausalLM, segment: str) -> int:
        """Model tokens of a piece of text."""
        return len(lm.encode(segment))

    def overhead(self, lm: CausalLM, labels: LabelSet) -> int:
        """Model tokens of the prompt without its text."""
        return len(self._prompt(lm, "", labels))


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    """An answer. pairs (Sequence): (mention, label)."""
    if not pairs:
        return EMPTY
    return " " + "; ".join(f"{label}: {name}" for name, label in pairs)


def _language(text: str) -> str:
    has_han = any("\u4e00" <= ch <= "\u9fff" for ch in text)
    has_kana = any("\u3040" <= ch <= "\u30ff" for ch in text)
    return "zh" if has_han and not has_kana else "en"


@dataclass(frozen=True)
class CompactOpen:
    """`<type> label<type> label<s>text<sep><type>` -> ` label<sep> mention<type>
    label<sep> mention</s>`. Labels are written in lower case, as in all compact
    templates.

    list_labels (bool): Begin with the label set. Without it, the constraint alone holds the labels.
    descriptions (bool): `<type> label<sep> description` in that list.
    demos (tuple[Demo, ...]): `<s>text<sep><type> label<sep> mention</s>` before the text.
    """

    closed_labels: ClassVar[bool] = True
    list_labels: bool = True
    descriptions: bool = False
    demos: tuple[Demo, ...] = ()
    begin: str = "<s>"
    sep: str = "<sep>"
    ask: str = "<type>"
    end: str = "</s>"
    full_paths: bool = False

    def job(
        self, lm: CausalLM, unit: Unit, labels: LabelSet, *, nested: bool = False
    ) -> ListJob:
        segments = encode_segments(lm, unit)
        sep, ask = lm.token_id(self.sep), lm.token_id(self.ask)
        text = joined(segments)
        head = self._head(lm, labels)
        prompt = [*head, lm.token_id(self.begin), *text, sep]
        at = len(head) + 1
        automaton = AnswerAutomaton(
            TextIndex(segments, [0] * len(segments), unit.spaces),
            Labels([self._name(lm, n) for n in labels.names]),
            Grammar(lead=(ask,), colon=(sep,), separator=(ask,), empty=()),
            vocabulary=None,
            end=lm.token_id(self.end),
            nested=nested,
        )
        # the separator stands where the answer begins: before the text
        depths = [*range(len(prompt) - 1), at - 1]
        return ListJob(
            unit, prompt, automaton, depths, origin=at, text=range(at, at + len(text))
        )

    def answer(
        self, lm: CausalLM, job: ListJob, labels: LabelSet, spans: Sequence[ListedSpan]
    ) -> list[int]:
        segments = encode_segments(lm, job.unit)
        pairs = []
        for start, end, label in spans:
            pairs.append((joined(segments[start:end]), labels.names[label]))
        return self._answer(lm, pairs)

    def _answer(
        self, lm: CausalLM, pairs: Sequence[tuple[Sequence[int], str]]
    ) -> list[int]:
        """pairs (Sequence): (tokens of a mention, its label)."""
        sep, ask = lm.token_id(self.sep), lm.token_id(self.ask)
        out: list[int] = []
        for tokens, name in pairs:
            out += [ask, *self._name(lm, name), sep, *tokens]
        return [*(out or [ask]), lm.token_id(self.end)]

    def _name(self, lm: CausalLM, name: str) -> list[int]:
        # a name may have a token of its own (see models.tiny), but must not spell one
        # of the others
        written = f" {normalize_name(name)}"
        whole = lm.encode(written, control=True)
        return whole if len(whole) == 1 else lm.encode(written)

    def _head(self, lm: CausalLM, labels: LabelSet) -> list[int]:
        """What stands before the text."""
        out: list[int] = []
        if self.list_labels:
            for name, description in zip(
                labels.names, labels.descriptions, strict=True
            ):
                out += [lm.token_id(self.ask), *self._name(lm, name)]
                if self.descriptions and description:
                    out.append(lm.token_id(self.sep))
                    for word in description.split():
                        out += lm.encode(f" {word}")

        for demo in self.demos:
            pairs = []
            for name, i in demo.known(labels):
                pairs.append((_words(lm, f" {name}"), labels.names[i]))
            out += [lm.token_id(self.begin), *_words(lm, demo.text)]
            out += [lm.token_id(self.sep), *self._answer(lm, pairs)]
        return out

    def cost(self, lm: CausalLM, segment: str) -> int:
        return len(lm.encode(segment))

    def overhead(self, lm: CausalLM, labels: LabelSet) -> int:
        return len(self._head(lm, labels)) + 3


def _words(lm: CausalLM, text: str) -> list[int]:
    """Tokens of text that no tokenizer of a Doc has cut: word by word, each with the
    space before it.
    """
    first, *others = text.split(" ")
    ids = list(lm.encode(first))
    for word in others:
        ids += lm.encode(f" {word}")
    return ids


def _check_language(language: str) -> str:
    if language != "auto" and language not in WORDINGS:
        raise CascadeError(
            Errors.C020.format(
                option="language",
                value=language,
                choices=", ".join(("auto", *WORDINGS)),
            )
        )
    return language


@prompts("spacy-cascade.B2NEROpen.v1")
def b2ner_open(
    language: str = "auto",
    descriptions: bool = False,
    examples: list[dict[str, object]] | None = None,
    chat: bool = False,
    system: str = SYSTEM,
) -> B2NEROpen:
    """As the released B2NER adapters were trained: see `B2NEROpen`.

    language (str): Language of the instruction: "en", "zh", "de", "nl", "es", "fr",
        "ja", "ko" or "ru". "auto": Chinese for Chinese text, else English.
    descriptions (bool): Add the taxonomy's label descriptions, where it has any.
    examples (Optional[list]): Demonstrations, {"text": ..., "entities": [{"name": ...,
        "type": ...}]}.
    chat (bool): Ask in the model's chat format, as instruct models expect.
    system (str): The system prompt of the chat format.
    RAISES CascadeError: C020 for an unknown language, C051 for a wrong demonstration.
    """
    return B2NEROpen(
        _check_language(language), descriptions, read_demos(examples), chat, system
    )


@prompts("spacy-cascade.CompactOpen.v1")
def compact_open(
    list_labels: bool = True,
    descriptions: bool = False,
    examples: list[dict[str, object]] | None = None,
) -> CompactOpen:
    """For the tiny base of `spacy cascade base` and its tokenizer: see `CompactOpen`.

    list_labels (bool): Begin with the label set. Without it, the constraint alone holds
        the labels.
    descriptions (bool): Add the taxonomy's label descriptions to that list.
    examples (Optional[list]): Demonstrations, {"text": ..., "entities": [{"name": ...,
        "type": ...}]}.
    RAISES CascadeError: C051.
    """
    return CompactOpen(list_labels, descriptions, read_demos(examples))
