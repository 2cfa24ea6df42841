"""Label names, a taxonomy, and scores by brute force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from spacy.language import Language

from spacy_cascade.pipeline.typer import Typer
from spacy_cascade.prompts.compact import CompactClassify
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import MentionQuery
from tests import util

NAMES = [
    "person",
    "personal item",
    "person of the year",
    "location",
    "loc",
    "road",
    "東京",
    "x",
]
Prompt = tuple[Sequence[int], Sequence[int] | None]


def brute_force(
    lm: Any, prompt: Prompt, answers: Sequence[Sequence[int]], end: int
) -> list[float]:
    """Every label by a forward pass of its own over the whole sequence; at each token
    the softmax is taken over what any label of the list has there.

    prompt (tuple): Token ids, and their positions if they are not counted on.
    """
    out = []
    prompt, depths = prompt[0], prompt[1] or range(len(prompt[0]))
    closed = [(*a, end) for a in answers]
    for answer in closed:
        ids = [*prompt, *answer]
        positions = [*depths, *range(depths[-1] + 1, depths[-1] + 1 + len(answer))]
        with torch.no_grad():
            logits = (
                lm.model(
                    input_ids=torch.tensor([ids]),
                    position_ids=torch.tensor([positions]),
                )
                .logits[0]
                .double()
            )
        total = 0.0
        for k, token in enumerate(answer):
            options = sorted({a[k] for a in closed if a[:k] == answer[:k]})
            row = logits[len(prompt) + k - 1]
            total += float(row[token] - torch.logsumexp(row[options], 0))
        out.append(total)
    return out


TREE = Taxonomy(
    {
        "person": ["athlete", "artist"],
        "location": {"city": ["capital", "town"], "country": None},
        "x": None,
    }
)


def type_mentions(
    lm: Any,
    nlp: Language,
    strategy: str,
    *,
    width: int = 3,
    floor: float = 0.0,
    unknown: bool = False,
    taxonomy: Taxonomy = TREE,
) -> list[Any]:
    asked = [
        (MentionQuery(u, i, i + 1), taxonomy)
        for u in util.units(nlp, util.SENTENCES)
        for i in (0, 1)
    ]
    return Typer(CompactClassify(), strategy, width, floor, unknown)(lm, asked)
