"""The contracts between the parts: what the decoders ask of a language model, and what
they hand back.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Query:
    """Tokens to run through the model, and where to ask which candidates for the next token.

    ids (list[int]): Token ids, a chain or the flattened nodes of a tree.
    positions (list[int]): Indices into `ids`; the question is what follows there.
    candidates (list[Sequence[int]]): The allowed next tokens at each of these positions.
    parents (list[int] | None): Index of each node's parent (-1 for the root); None for
        a chain. A node sees its ancestors and itself only, so that every path through
        the tree reads like a sequence of its own.
    depths (list[int] | None): Position of each node for the model's position encoding;
        None: number of its ancestors.
    row (CacheRow | None): Memory of the first `len(row)` nodes, which were run before: only
        the others are run, and taken into it. Nothing is asked at remembered nodes. The
        answers are those of a query without a row.
    """

    ids: list[int]
    positions: list[int] = field(default_factory=list)
    candidates: list[Sequence[int]] = field(default_factory=list)
    parents: list[int] | None = None
    depths: list[int] | None = None
    row: CacheRow | None = None


class CacheRow(Protocol):
    """The model's memory of a sequence (keys and values), up to some token."""

    def __len__(self) -> int: ...

    def truncate(self, n: int) -> None:
        """Forget all but the first n tokens."""

    def fork(self, n: int) -> CacheRow:
        """A row that begins with the first n tokens of this one, without copying them."""


@dataclass(frozen=True)
class CachedPrefix:
    """A row and the tokens in it. depths (Sequence[int] | None): Their positions; None:
    counted on.
    """

    ids: Sequence[int]
    depths: Sequence[int] | None
    row: CacheRow


class PrefixStore(Protocol):
    """What was run of texts lately. It is forgotten when the weights change."""

    def __len__(self) -> int: ...

    def clear(self) -> None:
        """Forget everything."""

    def keep(self, text: Hashable, kept: CachedPrefix) -> None:
        """Remember a text, if there is room."""

    def take(self, text: Hashable) -> CachedPrefix | None:
        """What was kept of a text, and forget it."""


class CachePool(Protocol):
    """Where rows are kept."""

    @property
    def room(self) -> int:
        """Tokens that may be taken in."""

    def row(self) -> CacheRow:
        """A new, empty row."""


@runtime_checkable
class CausalLM(Protocol):
    """What decoding needs from a language model; everything else is the backend's own business."""

    name: str
    max_length: int

    @property
    def recall(self) -> PrefixStore | None:
        """What one stage leaves to another that goes on from the same tokens; None: nothing."""

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        """Token ids of a piece of text.

        Special tokens are recognised only if `control` is set, so that text which
        happens to spell one stays text.
        """

    def token_bytes(self) -> Sequence[bytes | None]:
        """The bytes that each token writes; None for special tokens."""

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """One float32 array of shape (positions, most candidates) per query, padded with -inf."""

    def memory(self, tokens: int) -> CachePool | None:
        """Room for this many tokens to be remembered, or less where that would be too
        much; None if the model can't go on from where it was, or if running everything
        again is cheaper.
        """

    def adapter(self, name: str | None) -> AbstractContextManager[None]:
        """Use this adapter (None: the bare base) inside the context."""


@dataclass(frozen=True)
class Unit:
    """A stretch of text that is extracted in one go: a sentence or a window.

    text (str): The text, exactly as it stands in the Doc.
    tokens (tuple): (start, end) character offsets of its tokens, relative to `text`;
        white space may lie between.
    spaces (tuple): Whether each token is nothing but white space: no mention starts or ends there.
    labels (tuple): Names of the types that are looked for, for templates that name
        them; those of the first level.
    """

    text: str
    tokens: tuple[tuple[int, int], ...]
    spaces: tuple[bool, ...]
    labels: tuple[str, ...] = ()

    def segments(self) -> list[str]:
        """The text cut after every token: white space goes with the token behind it.

        Joined they give `text`.
        """
        cuts = [0, *(end for _, end in self.tokens)]
        out = [self.text[a:b] for a, b in itertools.pairwise(cuts)]
        if out and cuts[-1] < len(self.text):
            out[-1] += self.text[cuts[-1] :]
        return out


@dataclass(frozen=True)
class Mention:
    """A mention found in a unit: character offsets, end exclusive, and the model's
    probability of its boundaries.
    """

    start: int
    end: int
    score: float = 1.0


@dataclass(frozen=True)
class Asked:
    """A mention whose type is asked: token indices in its unit, end exclusive.

    before (tuple): The flat mentions that end at or before `start`: templates may show
        them marked, too.
    """

    unit: Unit
    start: int
    end: int
    before: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class TypeResult:
    """A label path, the probability of every step under its type list, and their product.

    n_best (tuple): The likeliest complete paths with their joint probabilities, if they
        were asked for. Over all paths of a taxonomy these add up to one.
    """

    path: tuple[str, ...]
    step_scores: tuple[float, ...]
    n_best: tuple[tuple[tuple[str, ...], float], ...] = ()

    @property
    def score(self) -> float:
        out = 1.0
        for s in self.step_scores:
            out *= s
        return out


@dataclass
class TrainingItem:
    """One sequence (or tree) to learn from.

    query (Query): The tokens, and the decisions: positions where the constraint leaves a choice.
    gold (list[int]): Index of the right candidate at each decision.
    groups (list[int]): Which component each decision belongs to, where several are
        trained on one tree.
    answer (list[int]): Nodes of the answer, for the `completion` objective: each is
        predicted from its parent.
    text (list[int]): Nodes of the plain text, for a language-model loss.
    """

    query: Query
    gold: list[int]
    groups: list[int] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    text: list[int] = field(default_factory=list)
