"""Strategies on a taxonomy: level by level, by beam, and over all leaves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from spacy.language import Language

from spacy_cascade.pipeline.typer import Typer, context_unit
from spacy_cascade.pipeline.windows import cut
from spacy_cascade.prompts.compact import CompactClassify
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import MentionQuery
from tests import util
from tests.decoding.label_scores import TREE, brute_force, type_mentions

# -- Strategies ----------------------------------------------------------------------


def _path_probabilities(
    lm: Any, asked: MentionQuery, taxonomy: Taxonomy
) -> dict[tuple[str, ...], float]:
    """Product over levels of each leaf's probabilities, by brute force."""
    template, out = CompactClassify(), {}
    for leaf in taxonomy.leaves:
        total = 0.0
        for level in range(len(leaf)):
            types = [p[-1] for p in taxonomy.children(leaf[:level])]
            prompt = template.prompt(lm, asked, leaf[:level], types)
            values = brute_force(
                lm, prompt, [template.answer(lm, t) for t in types], template.end_id(lm)
            )
            total += values[types.index(leaf[level])]
        out[leaf] = math.exp(total)
    return out


def test_beam_of_width_one_is_progressive(rnd: Any, nlp: Language) -> None:
    one, progressive = (
        type_mentions(rnd, nlp, "beam", width=1),
        type_mentions(rnd, nlp, "progressive"),
    )
    assert [r.path for r in one] == [r.path for r in progressive]
    assert [r.score for r in one] == pytest.approx(
        [r.score for r in progressive], rel=1e-5
    )


def test_a_wide_beam_finds_the_likeliest_leaf(rnd: Any, nlp: Language) -> None:
    found = type_mentions(rnd, nlp, "beam", width=50)
    units = util.units(nlp, util.SENTENCES)
    for k in (0, 5, 9):
        all_paths = _path_probabilities(
            rnd, MentionQuery(units[k // 2], k % 2, k % 2 + 1), TREE
        )
        assert found[k].path == max(all_paths, key=lambda p: all_paths[p])
        assert found[k].score == pytest.approx(max(all_paths.values()), rel=1e-3)


def test_progressive_takes_the_best_child_level_by_level(
    rnd: Any, nlp: Language
) -> None:
    unit = util.units(nlp, util.SENTENCES)[0]
    template = CompactClassify()
    path: tuple[str, ...] = ()
    while TREE.children(path):
        types = [p[-1] for p in TREE.children(path)]
        values = brute_force(
            rnd,
            template.prompt(rnd, MentionQuery(unit, 0, 1), path, types),
            [template.answer(rnd, t) for t in types],
            template.end_id(rnd),
        )
        path = (*path, types[int(np.argmax(values))])
    assert type_mentions(rnd, nlp, "progressive")[0].path == path


def test_path_scores_are_the_leaves_of_one_distribution(
    rnd: Any, nlp: Language
) -> None:
    """With a template that continues, the leaves' probabilities are the same products
    as level by level.
    """
    unit = util.units(nlp, util.SENTENCES)[0]
    all_paths = _path_probabilities(rnd, MentionQuery(unit, 0, 1), TREE)
    assert sum(all_paths.values()) == pytest.approx(1.0, abs=1e-4)
    result = type_mentions(rnd, nlp, "path")[0]
    assert result.path == max(all_paths, key=lambda p: all_paths[p])
    assert result.score == pytest.approx(all_paths[result.path], rel=1e-3)


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_scores_are_probabilities_and_paths_are_leaves(
    rnd: Any, nlp: Language, strategy: str
) -> None:
    for r in type_mentions(rnd, nlp, strategy):
        assert r.path in TREE.leaves
        assert len(r.step_scores) == len(r.path)
        assert all(0 < s <= 1 + 1e-9 for s in r.step_scores)
        assert r.score == pytest.approx(math.prod(r.step_scores))


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_min_score_stops_at_the_deepest_level_above_it(
    rnd: Any, nlp: Language, strategy: str
) -> None:
    full = type_mentions(rnd, nlp, strategy)
    floor = 0.4
    for whole, kept in zip(
        full, type_mentions(rnd, nlp, strategy, floor=floor), strict=True
    ):
        n = 0
        while n < len(whole.path) and math.prod(whole.step_scores[: n + 1]) >= floor:
            n += 1
        assert kept.path == whole.path[:n]


def test_a_floor_of_one_gives_no_type(rnd: Any, nlp: Language) -> None:
    assert all(r.path == () for r in type_mentions(rnd, nlp, "progressive", floor=1.0))


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_unknown_is_an_entry_of_the_first_list(nlp: Language, strategy: str) -> None:
    lm = util.ScriptedLM({"John": ("unknown",), "Smith": ("person", "artist")})
    unit = util.units(nlp, ["John Smith"])[0]
    asked = [(MentionQuery(unit, 0, 1), TREE), (MentionQuery(unit, 1, 2), TREE)]
    nothing, artist = Typer(CompactClassify(), strategy, 3, 0.0, True)(lm, asked)
    assert nothing.path == ()
    assert artist.path == ("person", "artist")


def test_different_taxonomies_in_one_batch(nlp: Language) -> None:
    lm = util.ScriptedLM({"John": ("agent", "human")})
    unit = util.units(nlp, ["John Smith"])[0]
    two = Taxonomy({"thing": None, "agent": ["human", "robot"]})
    results = Typer(CompactClassify(), "progressive", 1, 0.0, False)(
        lm, [(MentionQuery(unit, 0, 1), TREE), (MentionQuery(unit, 0, 1), two)]
    )
    assert results[0].path in TREE.leaves
    assert results[1].path == ("agent", "human")


def test_a_mention_across_windows_still_gets_a_context(nlp: Language) -> None:
    doc = nlp.make_doc("a b c d e f g h")
    windows, _ = cut(doc, mode="stride", limit=4, overlap=0, cost=lambda t: 1)
    unit, first = context_unit(doc, windows, 3, 5)
    assert first <= 3
    assert first + len(unit.tokens) >= 5


def test_progressive_types_all_mentions_of_a_level_in_one_call(nlp: Language) -> None:
    lm = util.ScriptedLM({"a": ("person", "artist"), "b": ("location", "city", "town")})
    unit = util.units(nlp, ["a b"])[0]
    Typer(CompactClassify(), "progressive", 1, 0.0, False)(
        lm, [(MentionQuery(unit, i, i + 1), TREE) for i in (0, 1)] * 5
    )
    assert lm.calls == 3


# -- Joint probabilities -------------------------------------------------------------


@pytest.mark.parametrize(("strategy", "width"), [("path", 1), ("beam", 50)])
def test_all_paths_of_a_taxonomy_add_up_to_one(
    rnd: Any, nlp: Language, strategy: str, width: int
) -> None:
    asked = [(MentionQuery(u, 0, 1), TREE) for u in util.units(nlp, util.SENTENCES)]
    results = Typer(CompactClassify(), strategy, width, 0.0, False, n_best=100)(
        rnd, asked
    )
    for result in results:
        paths, values = zip(*result.n_best, strict=True)
        assert sorted(paths) == sorted(TREE.leaves)
        assert sum(values) == pytest.approx(1.0, abs=1e-5)
        assert list(values) == sorted(values, reverse=True)
        assert paths[0] == result.path
    assert dict(results[0].n_best) == pytest.approx(
        _path_probabilities(rnd, asked[0][0], TREE), rel=1e-3
    )


def test_n_best_paths_are_kept_on_the_doc(nlp: Language) -> None:
    pipeline, _ = util.scripted(
        {"Paris": ("location", "city")}, classifier={"strategy": "path", "n_best": 2}
    )
    doc = pipeline("Paris")
    (best,) = doc.spans["cascade"].attrs["n_best"]
    assert len(best) == 2
    assert best[0][0] == "location > city" != best[1][0]
    assert best[0][1] > best[1][1] > 0
    assert best[0][1] == pytest.approx(doc.spans["cascade"].attrs["path_scores"][0])
