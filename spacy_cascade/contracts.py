"""What other packages may bring: prompt templates and drafters.

A prompt template follows `ExtractPrompt`, `ClassifyPrompt` or `ListPrompt`, a drafter
`Drafter`, a language model `CausalLM` in `types`. None of them is a base class. A class
that has the members is enough, and `registry.missing_members` tells which ones it lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .decoding.automaton import Guess
    from .decoding.jobs import Job
    from .decoding.listing import ListJob
    from .prompts.labelset import LabelSet
    from .types import CausalLM, LabelPath, ListedSpan, MentionQuery, TokenSpan, Unit


class ExtractPrompt(Protocol):
    """How a `cascade_extractor` asks for a copy of the text with its mentions marked."""

    @property
    def labels(self) -> bool:
        """Whether the prompt names the types in `unit.labels`; else units have none."""

    def job(self, lm: CausalLM, unit: Unit, guess: Guess) -> Job:
        """The prompt of a unit, and the automaton that constrains the answer.

        guess (Guess): Where mentions are expected; the job only hands it on.
        RETURNS (Job): With the token ids of the prompt, up to where the answer begins.
        """

    def text_range(self, lm: CausalLM, job: Job) -> range:
        """Where the text stands in `job.prompt`, for a language-model loss; may be empty."""

    def cost(self, lm: CausalLM, segment: str) -> int:
        """Tokens that this piece of text takes in prompt and answer together.

        Windows are cut by half of it. Markers are not counted.
        """

    def overhead(self, lm: CausalLM, labels: Sequence[str] = ()) -> int:
        """Tokens of prompt and answer without the text.

        labels (Sequence[str]): The types that are named.
        """


class ClassifyPrompt(Protocol):
    """How a `cascade_classifier` asks for the type of a mention, one level at a time."""

    @property
    def labels(self) -> bool:
        """Whether units have to come with the label set, as for an extractor's prompt
        that names it.
        """

    @property
    def continues(self) -> bool:
        """Whether the prompt goes on from the extractor's prompt and marked copy.

        Then what the extractor ran is used again. The prompt may also have a method
        `goes_on_from(extract_prompt) -> bool`, which tells whether it fits to that
        extractor; without one it fits to all.
        """

    def prompt(
        self, lm: CausalLM, asked: MentionQuery, parent: LabelPath, types: list[str]
    ) -> tuple[list[int], list[int] | None]:
        """The prompt that asks for the type of a mention.

        parent (tuple): The types above, as they were answered; () on the first level.
        types (list[str]): The list to choose from.
        RETURNS (tuple): Token ids, and their positions; None if they are counted on.
        """

    def answer(self, lm: CausalLM, name: str) -> list[int]:
        """Token ids of a type's name, as it stands behind the prompt."""

    def end_id(self, lm: CausalLM) -> int:
        """Id of the token behind a name."""

    def text_range(self, lm: CausalLM, unit: Unit) -> range:
        """Where the text stands in the prompts about a unit; may be empty."""


class ListPrompt(Protocol):
    """How an `open_ner` asks for a list of all mentions with their labels."""

    @property
    def full_paths(self) -> bool:
        """Whether labels are written with all types above them, as 'location->city'."""

    def job(
        self, lm: CausalLM, unit: Unit, labels: LabelSet, *, nested: bool = False
    ) -> ListJob:
        """The prompt of a unit, and the automaton that constrains the answer.

        nested (bool): Whether mentions may overlap.
        """

    def answer(
        self,
        lm: CausalLM,
        job: ListJob,
        labels: LabelSet,
        spans: Sequence[ListedSpan],
    ) -> list[int]:
        """Token ids of the right answer with the end token, for training.

        spans (Sequence[ListedSpan]): Gold mentions in the order of the text.
        """

    def cost(self, lm: CausalLM, segment: str) -> int:
        """Tokens that this piece of text takes in the prompt."""

    def overhead(self, lm: CausalLM, labels: LabelSet) -> int:
        """Tokens of the prompt without the text."""


class Drafter(Protocol):
    """Guesses the mentions of a unit before the language model is asked.

    Good guesses save passes through the model; they never change the result.
    """

    def guess(self, unit: Unit, known: Sequence[TokenSpan]) -> Guess:
        """Where mentions are expected.

        known (Sequence): Entities that earlier components set.
        """

    def learn(self, unit: Unit, spans: Sequence[TokenSpan]) -> None:
        """Take note of what the language model marked."""

    def fit(self, gold: Sequence[tuple[Unit, Sequence[TokenSpan]]]) -> None:
        """Learn from gold mentions, before the component is trained."""

    def to_disk(self, path: Path) -> None:
        """Write files into this directory, if there is anything to write."""

    def from_disk(self, path: Path) -> None:
        """Read them. RAISES CascadeError: C018 if they are damaged."""
