from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Span, SpanGroup

from spacy_cascade.training.list_noise import ListNoise
from spacy_cascade.training.loop import SFT, Run
from tests import util

TYPES = [f"type {i}" for i in range(12)]


@given(st.integers(1, 12), st.integers(0, 99), st.floats(0, 1), st.floats(0, 1))
def test_the_gold_type_stays_and_no_type_is_made_up(
    n: int, seed: int, dynamic: float, dropout: float
) -> None:
    types = TYPES[:n]
    gold = types[seed % n]
    found = ListNoise(random.Random(seed), dynamic, dropout)(types, gold)
    assert gold in found
    assert len(found) == len(set(found)) >= min(2, n)
    assert set(found) <= set(types)


def test_without_noise_nothing_changes() -> None:
    assert ListNoise(random.Random(0))(TYPES, TYPES[3]) == TYPES


def test_dropout_leaves_out_at_its_rate_and_keeps_the_order() -> None:
    noise, sizes = ListNoise(random.Random(0), dropout=0.4), Counter[str]()
    for _ in range(2000):
        found = noise(TYPES, TYPES[0])
        assert found == sorted(found, key=TYPES.index)
        sizes.update(found)
    assert sizes[TYPES[0]] == 2000
    assert all(0.55 < sizes[t] / 2000 < 0.65 for t in TYPES[1:])


def test_dynamic_lists_have_all_sizes_and_orders() -> None:
    noise = ListNoise(random.Random(0), dynamic=1.0)
    found = [noise(TYPES, TYPES[0]) for _ in range(2000)]
    assert {len(f) for f in found} == set(range(2, 13))
    assert len({f.index(TYPES[0]) for f in found}) == 12


def test_the_loop_trains_on_shorter_lists_and_leaves_the_component_as_it_was(
    base: Path, tmp_path: Path
) -> None:
    types = util.labels_config([*util.LABELS, *TYPES])
    nlp = util.cascade(
        base,
        extractor={"adapter": None},
        classifier={"adapter": None, "taxonomy": types},
    )
    examples = util.examples(nlp)
    nlp.initialize(lambda: examples)
    pipe: Any = nlp.get_pipe("cascade_classifier")

    def options(**settings: Any) -> int:
        run = Run(
            SFT(["cascade_classifier"], max_steps=1, **settings),
            nlp,
            examples,
            [],
            tmp_path,
            lambda info: None,
        )
        return sum(
            len(c)
            for _, items in run.data.work(0, 0, range(len(examples)))
            for i in items
            for c in i.query.candidates
        )

    assert options(label_dropout=0.5) < options()
    assert options(dynamic_lists=1.0) < options()
    assert pipe.list_noise is None


def test_mentions_bring_their_own_lists(base: Path, tmp_path: Path) -> None:
    """As `corpus_tools dynamic` writes them: the answer may be a synonym, on any level."""
    nlp = util.cascade(base, extractor={"adapter": None}, classifier={"adapter": None})
    examples = util.examples(
        nlp, [("Ann left Rome.", [("Ann", "person"), ("Rome", "place")])]
    )
    nlp.initialize(lambda: examples)
    doc = examples[0].reference
    spans = [Span(doc, 0, 1, label="human being"), Span(doc, 2, 3, label="place")]
    attrs = {
        "paths": ["person", "place"],
        "type_lists": [["human being", "town", "ship"], ["place", "thing"]],
    }
    doc.spans["gold"] = SpanGroup(doc, name="gold", spans=spans, attrs=attrs)

    pipe: Any = nlp.get_pipe("cascade_classifier")
    answer = pipe.lm.encode(" human being", control=True)

    def asked(**settings: Any) -> bool:
        run = Run(
            SFT(["cascade_classifier"], max_steps=1, **settings),
            nlp,
            examples,
            [],
            tmp_path,
            lambda info: None,
        )
        tokens = [
            t
            for _, items in run.data.work(0, 0, [0])
            for i in items
            for t in i.query.ids
        ]
        return any(tokens[k : k + len(answer)] == answer for k in range(len(tokens)))

    assert asked(own_lists=True)
    assert not asked()
    assert pipe.use_mention_lists is False
