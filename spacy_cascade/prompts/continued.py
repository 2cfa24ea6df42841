"""A chat prompt whose mentions and levels all go on from one reading of the sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import CascadeError, Errors
from ..registry import prompts
from ..taxonomy import TypePath
from ..taxonomy.names import single_spaced
from ..types import MentionQuery, Unit
from .chat import (
    INSTRUCTION,
    ChatExtract,
    cascadener_extract,
    chat_extract,
    chat_labeled_extract,
    vocabulary,
)


@dataclass(frozen=True)
class ChatClassifyContinued:
    """User: what the extractor is asked.

    Assistant: its marked copy up to this mention, then the types, one to a line: `Jo
    left ##New York## = location⏎ geo-political entity⏎ city⏎`.

    A question of its own for each mention and level (`ChatClassify`) runs the sentence
    anew each time. Here the mentions of a sentence share the prompt and the copy, and
    the levels what stands before them, as in `CompactClassify`. Lists below the first
    level are not written out: the constraint holds them. No type's name has a line
    break, so one ends them all.

    extract (ChatExtract): The template of the extractor, which it has to agree with.
    lead (str): Between mention and types.
    """

    extract: ChatExtract
    lead: str = " ="
    continues: bool = True

    @property
    def labels(self) -> bool:
        return self.extract.labels

    def prompt(
        self, lm: Any, asked: MentionQuery, parent: TypePath, types: list[str]
    ) -> tuple[list[int], None]:
        """RETURNS: token ids, and None: positions are counted on."""
        ids = self.extract.prompt(lm, asked.unit)
        # The copy in the same tokens as the extractor's drafts, but for those that
        # reach beyond the mention.
        ids += vocabulary(lm).spell(self._copy(asked), lm.encode)
        ids += vocabulary(lm).spell(self.lead, lm.encode)
        for name in parent:
            ids += [*self.answer(lm, name), self.end_id(lm)]
        return ids, None

    def goes_on_from(self, template: Any) -> bool:
        """Whether an extractor's prompts and copies are what the prompts here begin with."""
        return bool(self.extract == template)

    def _copy(self, asked: MentionQuery) -> str:
        """The text up to the end of the mention, it and the flat ones before it marked."""
        unit, marker, at, out = asked.unit, self.extract.marker, 0, ""
        for first, last in (*asked.before, (asked.start, asked.end)):
            start, end = unit.tokens[first][0], unit.tokens[last - 1][1]
            out += f"{unit.text[at:start]}{marker}{unit.text[start:end]}{marker}"
            at = end
        return out

    def answer(self, lm: Any, name: str) -> list[int]:
        return lm.encode(f" {single_spaced(name)}", control=True)  # type: ignore[no-any-return]

    def end_id(self, lm: Any) -> int:
        """RAISES CascadeError: C015 if the vocabulary can't write a line break as one token."""
        found = vocabulary(lm).ids.get(b"\n")
        if found is None:
            raise CascadeError(
                Errors.C015.format(
                    path=lm.name, what="a token for a line break", needed=r"'\n'"
                )
            )
        return found

    def text_range(self, lm: Any, unit: Unit) -> range:
        """Positions of the user's turn in the prompt."""
        return self.extract.user_turn(lm, unit, self.extract.prompt(lm, unit))


@prompts("spacy-cascade.ChatClassifyContinued.v1")
def chat_classify_continued(
    system: str = "You are a helpful assistant.",
    instruction: str = INSTRUCTION,
    lead: str = ChatClassifyContinued.lead,
    examples: list[dict[str, Any]] | str | None = None,
    n_examples: int = 3,
    embedder: Callable[[Sequence[str]], Any] | None = None,
) -> ChatClassifyContinued:
    """For pretrained models that you fine-tune: see `ChatClassifyContinued`.

    With the extractor's system and instruction, both stages begin alike.

    instruction (str): Of `ChatExtract.v1`; with {types} that of
        `ChatLabeledExtract.v1`, which lists the types of the first level; "": the text
        alone, as with `CascadeNERExtract.v1`.
    lead (str): Between mention and types.
    examples, n_examples, embedder: Those of the extractor: marked copies that are shown
        before the text.
    RAISES CascadeError: C021, C051.
    """
    shots = (examples, n_examples, embedder)
    if not instruction:
        return ChatClassifyContinued(cascadener_extract(system, *shots), lead)
    make = chat_labeled_extract if "{types}" in instruction else chat_extract
    return ChatClassifyContinued(make(system, instruction, *shots), lead)
