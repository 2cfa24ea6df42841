"""A chat prompt whose mentions and levels all go on from one reading of the sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import CascadeError, Errors
from ..registry import prompts
from ..taxonomy import TypePath
from ..taxonomy.names import single_spaced
from ..types import CausalLM, MentionQuery, Unit
from .chat import (
    INSTRUCTION,
    CascadeNERExtract,
    ChatExtract,
    ChatLabeledExtract,
    ChatTemplate,
    MarkedCopy,
)
from .chat_format import vocabulary


@prompts("spacy-cascade.ChatClassifyContinued.v1")
@dataclass(frozen=True)
class ChatClassifyContinued(ChatTemplate):
    """For pretrained models that you fine-tune.

    User: what the extractor is asked. Assistant: its marked copy up to this mention,
    then the types, one to a line: `Jo left ##New York## = location⏎ geo-political
    entity⏎ city⏎`.

    `ChatClassify` asks about each mention and level on its own, and runs the sentence
    anew each time. Here the mentions of a sentence share the prompt and the copy, and
    the levels share what stands before them, as in `CompactClassify`. Lists below the
    first level are not written out: the constraint holds them. No type's name has a
    line break, so one ends them all.

    System prompt, instruction and examples have to be those of the extractor.

    instruction (str): That of `ChatExtract`. With {types} it is that of
        `ChatLabeledExtract`, which lists the types of the first level. "": the text
        alone, as with `CascadeNERExtract`.
    lead (str): Stands between mention and types.
    RAISES CascadeError: C021, C051.
    """

    continues: ClassVar[bool] = True
    instruction: str = INSTRUCTION
    lead: str = " ="
    # the template that the extractor has to have
    extract: MarkedCopy = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "extract", self._extract())

    def _extract(self) -> MarkedCopy:
        if not self.instruction:
            return CascadeNERExtract(
                self.system,
                examples=self.examples,
                n_examples=self.n_examples,
                embedder=self.embedder,
            )

        names_types = "{types}" in self.instruction
        make: type[ChatLabeledExtract] | type[ChatExtract]
        make = ChatLabeledExtract if names_types else ChatExtract
        return make(
            self.system,
            self.instruction,
            examples=self.examples,
            n_examples=self.n_examples,
            embedder=self.embedder,
        )

    @property
    def labels(self) -> bool:
        return self.extract.labels

    def prompt(
        self, lm: CausalLM, asked: MentionQuery, parent: TypePath, types: list[str]
    ) -> tuple[list[int], None]:
        """RETURNS: token ids, and None: positions are counted on."""
        ids = self.extract.prompt(lm, asked.unit)
        # the copy in the same tokens as the extractor's drafts, but for those that
        # reach beyond the mention
        ids += vocabulary(lm).spell(self._copy(asked), lm.encode)
        ids += vocabulary(lm).spell(self.lead, lm.encode)
        for name in parent:
            ids += [*self.answer(lm, name), self.end_id(lm)]
        return ids, None

    def goes_on_from(self, template: object) -> bool:
        """Whether the prompts here begin with an extractor's prompts and copies."""
        return bool(self.extract == template)

    def _copy(self, asked: MentionQuery) -> str:
        """The text up to the end of the mention. It and the flat mentions before it are
        marked.
        """
        unit, marker = asked.unit, self.extract.marker
        copy, at = "", 0
        for first, last in (*asked.before, (asked.start, asked.end)):
            start, end = unit.tokens[first][0], unit.tokens[last - 1][1]
            copy += unit.text[at:start]
            copy += f"{marker}{unit.text[start:end]}{marker}"
            at = end
        return copy

    def answer(self, lm: CausalLM, name: str) -> list[int]:
        return lm.encode(f" {single_spaced(name)}", control=True)

    def end_id(self, lm: CausalLM) -> int:
        """RAISES CascadeError: C015 if the vocabulary can't write a line break as one token."""
        found = vocabulary(lm).ids.get(b"\n")
        if found is None:
            raise CascadeError(
                Errors.C015.format(
                    path=lm.name, what="a token for a line break", needed=r"'\n'"
                )
            )
        return found

    def text_range(self, lm: CausalLM, unit: Unit) -> range:
        """Positions of the user's turn in the prompt."""
        return self.extract.user_turn(lm, unit, self.extract.prompt(lm, unit))
