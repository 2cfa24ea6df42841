"""The data that the parts of the project exchange, and what a language model has to do.

What other packages may bring beside models stands in `contracts`.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

# Token indices of a mention, end exclusive.
TokenSpan = tuple[int, int]
# Names from the first level of a taxonomy downwards.
LabelPath = tuple[str, ...]


# -- Texts and mentions


@dataclass(frozen=True)
class Unit:
    """A stretch of text that is extracted in one go: a sentence or a window.

    text (str): The text, exactly as it stands in the Doc.
    tokens (tuple): (start, end) character offsets of its tokens, relative to `text`.
    spaces (tuple): Whether each token is white space, where no mention starts or ends.
    labels (tuple): The first-level types, for templates that name them.
    """

    text: str
    tokens: tuple[tuple[int, int], ...]
    spaces: tuple[bool, ...]
    labels: tuple[str, ...] = ()

    def segments(self) -> list[str]:
        """The text cut after every token: white space goes with the token behind it."""
        cuts = [0, *(end for _, end in self.tokens)]
        out = [self.text[a:b] for a, b in itertools.pairwise(cuts)]
        if out and cuts[-1] < len(self.text):
            out[-1] += self.text[cuts[-1] :]
        return out


@dataclass(frozen=True)
class Mention:
    """A mention that was found in a unit.

    start, end (int): Character offsets, end exclusive.
    score (float): The model's probability of these boundaries.
    """

    start: int
    end: int
    score: float = 1.0


@dataclass(frozen=True)
class MentionQuery:
    """A mention whose type is asked.

    unit (Unit): The text it is read in.
    start, end (int): Token indices in the unit, end exclusive.
    before (tuple): The flat mentions before it, which templates may mark, too.
    """

    unit: Unit
    start: int
    end: int
    before: tuple[TokenSpan, ...] = ()


@dataclass(frozen=True)
class TypeResult:
    """The type of a mention.

    path (tuple): Names of the types, from the first level downwards.
    step_scores (tuple): Probability of every step among the types of its list.
    n_best (tuple): The likeliest complete paths with their joint probabilities, if they
        were asked for. Over all paths of a taxonomy the probabilities add up to one.
    """

    path: LabelPath
    step_scores: tuple[float, ...]
    n_best: tuple[tuple[LabelPath, float], ...] = ()

    @property
    def score(self) -> float:
        """The product of all steps."""
        out = 1.0
        for score in self.step_scores:
            out *= score
        return out


class Candidate(NamedTuple):
    """Tokens of a Doc that are a mention, and the probability of its boundaries."""

    start: int
    end: int
    score: float


class TypedMention(NamedTuple):
    """A candidate with its type."""

    start: int
    end: int
    score: float
    result: TypeResult


# -- Asking a language model


@dataclass
class Query:
    """Tokens to run through the model, and where to ask for the next token.

    ids (list[int]): Token ids, a chain or the flattened nodes of a tree.
    positions (list[int]): Indices into `ids`. The question is what follows there.
    candidates (list[Sequence[int]]): The allowed next tokens at each of these positions.
    parents (list[int] | None): Index of each node's parent (-1 for the root); None for
        a chain. A node sees only its ancestors and itself, so every path through the
        tree reads like a sequence of its own.
    depths (list[int] | None): Position of each node for the model's position encoding;
        None: the number of its ancestors.
    row (CacheRow | None): Cache of the first `len(row)` nodes, which were run before.
        Only the others are run, and added to it. A cached node can't be asked at.
    """

    ids: list[int]
    positions: list[int] = field(default_factory=list)
    candidates: list[Sequence[int]] = field(default_factory=list)
    parents: list[int] | None = None
    depths: list[int] | None = None
    row: CacheRow | None = None


class CacheRow(Protocol):
    """Cached keys and values of one sequence, up to some token."""

    def __len__(self) -> int: ...

    def truncate(self, n: int) -> None:
        """Forget all but the first n tokens."""

    def fork(self, n: int) -> CacheRow:
        """A row that begins with the first n tokens of this one, without copying them."""


class CachePool(Protocol):
    """Storage that rows are made in."""

    @property
    def room(self) -> int:
        """Tokens that may still be cached."""

    def row(self) -> CacheRow:
        """A new, empty row."""


@dataclass(frozen=True)
class CachedPrefix:
    """Tokens that were run, their positions (None: counted on) and their cache."""

    ids: Sequence[int]
    depths: Sequence[int] | None
    row: CacheRow


class PrefixStore(Protocol):
    """Prefixes that one stage leaves to the next one, until the weights change."""

    def __len__(self) -> int: ...

    def clear(self) -> None:
        """Forget everything."""

    def keep(self, text: Hashable, kept: CachedPrefix) -> None:
        """Store the prefix of a text, if there is room."""

    def take(self, text: Hashable) -> CachedPrefix | None:
        """Remove the prefix of a text from the store and return it."""


@runtime_checkable
class CausalLM(Protocol):
    """A causal language model, as prompts and decoding use it.

    name (str): A directory or hub name, for messages.
    max_length (int): The longest sequence that the model can read, in tokens.
    """

    name: str
    max_length: int

    @property
    def prefixes(self) -> PrefixStore | None:
        """What one stage leaves to another; None if nothing is kept."""

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        """Token ids of a piece of text.

        control (bool): Recognise special tokens. Without it, text that happens to spell
            one stays text.
        """

    def token_id(self, token: str) -> int:
        """Id of a special token. RAISES CascadeError: C015 if there is none."""

    def token_bytes(self) -> Sequence[bytes | None]:
        """The bytes that each token writes; None for special tokens."""

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """Logits of the candidates: one float32 array per query, of shape
        (positions, most candidates), padded with -inf.
        """

    def cache_pool(self, tokens: int) -> CachePool | None:
        """Room for about this many tokens; None if the model can't go on from a cache,
        or if running everything again is cheaper.
        """

    def adapter(self, name: str | None) -> AbstractContextManager[None]:
        """Use this adapter inside the context; None: the base model alone."""


@dataclass
class TrainingItem:
    """One sequence (or tree) to learn from.

    query (Query): The tokens and the decisions, which are the positions where the
        constraint leaves a choice.
    gold (list[int]): Index of the right candidate at each decision.
    groups (list[int]): Which component each decision belongs to, where several are
        trained on one tree.
    answer (list[int]): Nodes of the answer, for the `completion` objective. Each is
        predicted from its parent.
    text (list[int]): Nodes of the plain text, for a language-model loss.
    """

    query: Query
    gold: list[int]
    groups: list[int] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    text: list[int] = field(default_factory=list)


class ListedSpan(NamedTuple):
    """Tokens of a unit that are a mention, and the index of their label."""

    start: int
    end: int
    label: int
