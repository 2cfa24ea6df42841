"""Label scoring: one pass over a token trie gives the log-probability of every label
under the constraint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.decoding.labels import LabelJob, LabelScorer, LabelTrie, score_labels
from spacy_cascade.pipeline.typer import Typer, context_unit
from spacy_cascade.pipeline.windows import cut
from spacy_cascade.prompts.chat import ChatClassify
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


@pytest.fixture(scope="module")
def template() -> CompactClassify:
    return CompactClassify()


@pytest.fixture
def no_trees(rnd: Any) -> Iterator[Any]:
    """The same model, as if it took no tree mask."""
    rnd.trees = False
    yield rnd
    rnd.trees = True


def _job(prompt: Prompt, trie: LabelTrie) -> LabelJob:
    return LabelJob(list(prompt[0]), trie, prompt[1] and list(prompt[1]))


def _prompts(lm: Any, template: CompactClassify, nlp: Language) -> list[Prompt]:
    out = []
    for unit in util.units(nlp, util.SENTENCES[:3]):
        words = [i for i, space in enumerate(unit.spaces) if not space]
        out += [
            template.prompt(lm, MentionQuery(unit, i, i + 1), (), NAMES)
            for i in words[:3]
        ]
    return out


def test_the_tiny_models_trees_are_used(rnd: Any) -> None:
    assert rnd.trees
    assert rnd.exact_rows


def test_equals_brute_force(rnd: Any, template: CompactClassify, nlp: Language) -> None:
    answers, end = [template.answer(rnd, n) for n in NAMES], template.end_id(rnd)
    for prompt in _prompts(rnd, template, nlp):
        job = _job(prompt, LabelTrie(answers, end))
        score_labels(rnd, [job])
        assert job.log_probs == pytest.approx(
            brute_force(rnd, prompt, answers, end), abs=1e-4
        )


def test_probabilities_of_a_list_add_up_to_one(
    rnd: Any, template: CompactClassify, nlp: Language
) -> None:
    trie = LabelTrie([template.answer(rnd, n) for n in NAMES], template.end_id(rnd))
    jobs = [_job(p, trie) for p in _prompts(rnd, template, nlp)]
    score_labels(rnd, jobs)
    for job in jobs:
        assert np.exp(job.log_probs).sum() == pytest.approx(1.0, abs=1e-5)


def test_a_label_that_begins_another_keeps_its_own_probability(rnd: Any) -> None:
    prompt, end = [5, 6, 7], rnd.token_id("<sep>")
    answers = [[20], [20, 21], [20, 21, 22]]
    job = LabelJob(prompt, LabelTrie(answers, end))
    score_labels(rnd, [job])
    assert job.log_probs == pytest.approx(
        brute_force(rnd, (prompt, None), answers, end), abs=1e-4
    )
    assert (job.log_probs < 0).all()


@given(
    st.lists(
        st.lists(st.integers(20, 24), min_size=1, max_size=5).map(tuple),
        min_size=1,
        max_size=7,
        unique=True,
    )
)
def test_equals_brute_force_on_any_trie(
    rnd: Any, answers: list[tuple[int, ...]]
) -> None:
    prompt, end = [5, 6, 7], rnd.token_id("<sep>")
    job = LabelJob(prompt, LabelTrie(answers, end))
    score_labels(rnd, [job])
    assert job.log_probs == pytest.approx(
        brute_force(rnd, (prompt, None), answers, end), abs=1e-4
    )


def test_jobs_in_shared_rows_score_as_alone(
    rnd: Any, template: CompactClassify, nlp: Language
) -> None:
    trie = LabelTrie([template.answer(rnd, n) for n in NAMES], template.end_id(rnd))
    together = [_job(p, trie) for p in _prompts(rnd, template, nlp)]
    alone = [_job(p, trie) for p in _prompts(rnd, template, nlp)]
    split = [_job(p, trie) for p in _prompts(rnd, template, nlp)]
    score_labels(rnd, together)
    score_labels(rnd, split, max_nodes=1)
    for a, b, c in zip(together, alone, split, strict=True):
        score_labels(rnd, [b])
        assert a.log_probs == pytest.approx(b.log_probs, abs=1e-5)
        assert c.log_probs == pytest.approx(b.log_probs, abs=1e-5)


def test_shared_prompts_run_once(
    rnd: Any, template: CompactClassify, nlp: Language
) -> None:
    trie = LabelTrie([template.answer(rnd, n) for n in NAMES], template.end_id(rnd))
    prompts = _prompts(rnd, template, nlp)[:3]
    sizes: list[int] = []
    run = rnd.candidate_logits

    def counted(queries: Any) -> Any:
        sizes.append(sum(len(q.ids) for q in queries))
        return run(queries)

    rnd.candidate_logits = counted
    try:
        score_labels(rnd, [_job(p, trie) for p in prompts])
        for p in prompts:
            score_labels(rnd, [_job(p, trie)])
    finally:
        del rnd.candidate_logits
    assert sizes[0] < 0.7 * sum(sizes[1:])


def test_without_tree_masks_the_scores_are_the_same(
    no_trees: Any, template: CompactClassify, nlp: Language
) -> None:
    lm = no_trees
    answers, end = [template.answer(lm, n) for n in NAMES], template.end_id(lm)
    chains = [_job(p, LabelTrie(answers, end)) for p in _prompts(lm, template, nlp)]
    score_labels(lm, chains)
    lm.trees = True
    trees = [_job(p, LabelTrie(answers, end)) for p in _prompts(lm, template, nlp)]
    score_labels(lm, trees)
    for a, b in zip(chains, trees, strict=True):
        assert a.log_probs == pytest.approx(b.log_probs, abs=1e-5)


def test_different_lists_in_one_batch(rnd: Any) -> None:
    end = rnd.token_id("<sep>")
    lists = [[[20], [21, 22]], [[21], [20, 20], [23]], [[20], [25]]]
    jobs = [LabelJob([5, 6, 7, 8], LabelTrie(answers, end)) for answers in lists]
    score_labels(rnd, jobs)
    for job, answers in zip(jobs, lists, strict=True):
        assert job.log_probs == pytest.approx(
            brute_force(rnd, ([5, 6, 7, 8], None), answers, end), abs=1e-4
        )


def test_a_single_label_needs_no_model() -> None:
    lm = util.ScriptedLM({})
    job = LabelJob([1], LabelTrie([[3, 4]], 5))
    score_labels(lm, [job])
    assert job.log_probs.tolist() == [0.0]


def test_no_jobs() -> None:
    score_labels(util.ScriptedLM({}), [])


# -- Strategies ----------------------------------------------------------------------

TREE = Taxonomy(
    {
        "person": ["athlete", "artist"],
        "location": {"city": ["capital", "town"], "country": None},
        "x": None,
    }
)


def _type(
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
    one, progressive = _type(rnd, nlp, "beam", width=1), _type(rnd, nlp, "progressive")
    assert [r.path for r in one] == [r.path for r in progressive]
    assert [r.score for r in one] == pytest.approx(
        [r.score for r in progressive], rel=1e-5
    )


def test_a_wide_beam_finds_the_likeliest_leaf(rnd: Any, nlp: Language) -> None:
    found = _type(rnd, nlp, "beam", width=50)
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
    assert _type(rnd, nlp, "progressive")[0].path == path


def test_path_scores_are_the_leaves_of_one_distribution(
    rnd: Any, nlp: Language
) -> None:
    """With a template that continues, the leaves' probabilities are the same products
    as level by level.
    """
    unit = util.units(nlp, util.SENTENCES)[0]
    all_paths = _path_probabilities(rnd, MentionQuery(unit, 0, 1), TREE)
    assert sum(all_paths.values()) == pytest.approx(1.0, abs=1e-4)
    result = _type(rnd, nlp, "path")[0]
    assert result.path == max(all_paths, key=lambda p: all_paths[p])
    assert result.score == pytest.approx(all_paths[result.path], rel=1e-3)


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_scores_are_probabilities_and_paths_are_leaves(
    rnd: Any, nlp: Language, strategy: str
) -> None:
    for r in _type(rnd, nlp, strategy):
        assert r.path in TREE.leaves
        assert len(r.step_scores) == len(r.path)
        assert all(0 < s <= 1 + 1e-9 for s in r.step_scores)
        assert r.score == pytest.approx(math.prod(r.step_scores))


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_min_score_stops_at_the_deepest_level_above_it(
    rnd: Any, nlp: Language, strategy: str
) -> None:
    full = _type(rnd, nlp, strategy)
    floor = 0.4
    for whole, kept in zip(full, _type(rnd, nlp, strategy, floor=floor), strict=True):
        n = 0
        while n < len(whole.path) and math.prod(whole.step_scores[: n + 1]) >= floor:
            n += 1
        assert kept.path == whole.path[:n]


def test_a_floor_of_one_gives_no_type(rnd: Any, nlp: Language) -> None:
    assert all(r.path == () for r in _type(rnd, nlp, "progressive", floor=1.0))


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


# -- What is run once ----------------------------------------------------------------


@pytest.fixture
def seen(rnd: Any) -> Iterator[list[int]]:
    """Tokens (with padding) of every forward pass."""
    sizes: list[int] = []
    before = rnd.cache_tokens
    hook = rnd.decoder.register_forward_pre_hook(
        lambda _, __, kwargs: sizes.append(kwargs["input_ids"].numel()),
        with_kwargs=True,
    )
    yield sizes
    hook.remove()
    rnd.cache_tokens = before


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_what_is_remembered_does_not_change_the_types(
    rnd: Any, nlp: Language, strategy: str, seen: list[int]
) -> None:
    found, costs = [], []
    for kept in (0, 150, 16384):
        rnd.cache_tokens = kept
        del seen[:]
        found.append(_type(rnd, nlp, strategy))
        costs.append(sum(seen))
    for other in found[1:]:
        assert [r.path for r in other] == [r.path for r in found[0]]
        assert [r.step_scores for r in other] == [
            pytest.approx(r.step_scores, rel=1e-4) for r in found[0]
        ]
    if strategy != "path":
        assert costs[2] < 0.75 * costs[0], "later levels go on from the first one"


def test_rows_that_begin_alike_share_their_beginning(
    rnd: Any, nlp: Language, seen: list[int]
) -> None:
    template = ChatClassify()
    asked = [(MentionQuery(u, 0, 1), TREE) for u in util.units(nlp, util.SENTENCES)]
    found, costs = [], []
    for kept in (0, 16384):
        rnd.cache_tokens = kept
        del seen[:]
        found.append(Typer(template, "progressive", 1, 0.0, False)(rnd, asked))
        costs.append(sum(seen))
    assert [r.path for r in found[0]] == [r.path for r in found[1]]
    assert [r.score for r in found[0]] == pytest.approx(
        [r.score for r in found[1]], rel=1e-4
    )
    assert costs[1] < 0.8 * costs[0]


def test_other_lists_for_the_same_prompt_are_asked_anew(rnd: Any) -> None:
    end = rnd.token_id("<sep>")
    scorer = LabelScorer(rnd)
    for answers in ([[20], [21, 22]], [[21], [20, 20], [23]], [[20], [21, 22]]):
        job = LabelJob([5, 6, 7, 8], LabelTrie(answers, end), text="t")
        scorer([job])
        assert job.log_probs == pytest.approx(
            brute_force(rnd, ([5, 6, 7, 8], None), answers, end), abs=1e-4
        )


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
