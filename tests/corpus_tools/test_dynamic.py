"""Dynamic categorization: metrics, lists, rounds, search, versions on disk."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.dynamic import lists as ls
from corpus_tools.dynamic import metrics, rounds, synonyms, versions
from corpus_tools.dynamic.metrics import (
    METRICS,
    ClassSums,
    Vectors,
    gini,
    measure,
    normalized_entropy,
    variation,
)
from corpus_tools.dynamic.search import SLACK, random_version, search
from corpus_tools.embedding import hash_embedder
from corpus_tools.errors import CorpusError
from corpus_tools.formats import docbin, geic, swift
from corpus_tools.issues import Report
from corpus_tools.records import Mention, Record
from spacy_cascade.taxonomy import Taxonomy, builtin

EXTREME = [80, 10, 5, 5]
TREE = {
    "person": {
        "real person": ["politician", "athlete", "other person"],
        "fictional figure": ["god", "hero"],
    },
    "place": {"area": ["city", "country", "river"], "building": ["school", "station"]},
    "work": ["song", "film", "other work"],
    "miscellaneous": ["award", "event"],
}
SYNONYMS = {
    "person -> real person -> politician": ["politician", "statesman"],
    "place -> area -> city": ["city", "town", "municipality"],
}


def unit(rng: np.random.Generator, n: int, dim: int = 16) -> np.ndarray:
    rows = rng.normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return Taxonomy(TREE, name="small")


@pytest.fixture(scope="module")
def types(taxonomy) -> ls.Types:
    return ls.Types(
        taxonomy,
        {
            ("place", "area", "city"): ("town", "municipality"),
            ("person", "real person", "politician"): ("statesman",),
        },
    )


@pytest.fixture(scope="module")
def corpus(types) -> rounds.Corpus:
    """400 mentions, unevenly distributed, with embeddings near their type's own direction."""
    rng = np.random.default_rng(3)
    leaves = np.flatnonzero(types.leaf & types.real)
    gold = rng.choice(
        leaves,
        400,
        p=np.arange(1, len(leaves) + 1) / np.arange(1, len(leaves) + 1).sum(),
    )
    centers = unit(rng, len(types))
    rows = centers[gold] + 0.8 * unit(rng, len(gold))
    vectors = Vectors(
        (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32),
        np.arange(len(gold)),
    )
    return rounds.describe(gold, ls.base(gold, types), vectors)


# -- Metrics -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counts, entropy, coefficient, deviation",
    [
        ([7, 7, 7, 7], 1.0, 0.0, 0.0),
        ([9], 0.0, 0.0, 0.0),
        (
            EXTREME,
            -(0.8 * math.log2(0.8) + 0.1 * math.log2(0.1) + 0.1 * math.log2(0.05)) / 2,
            0.575,
            math.sqrt((0.55**2 + 0.15**2 + 2 * 0.2**2) / 4) / 0.25,
        ),
        ([0, 3, 3, 0], 1.0, 0.0, 0.0),  # a type without a mention is none
    ],
)
def test_distribution_in_closed_form(counts, entropy, coefficient, deviation):
    assert normalized_entropy(counts) == pytest.approx(entropy)
    assert gini(counts) == pytest.approx(coefficient)
    assert variation(counts) == pytest.approx(deviation)


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1], [1, float("nan")]])
@pytest.mark.parametrize("function", [normalized_entropy, gini, variation])
def test_no_distribution(function, counts):
    with pytest.raises(CorpusError, match="T030"):
        function(counts)


def test_cohesion_in_closed_form():
    east, north = np.eye(2, dtype=np.float32)
    cases = {
        "identical": ([east] * 5, 1.0),
        "opposite": ([east, -east], -1.0),
        "two of each": ([east, east, -east, -east], -1 / 3),
        "right angle": ([east, north], 0.0),
    }
    for vectors, expected in cases.values():
        sums = ClassSums(1, 2)
        sums.add(np.zeros(len(vectors), dtype=int), np.array(vectors))
        assert sums.cohesion()[0] == pytest.approx(expected)
    alone = ClassSums(2, 2)
    alone.add(np.array([0]), east[None])
    assert np.isnan(alone.cohesion()).all()
    assert math.isnan(alone.metrics().cohesion)


def test_metrics_agree_with_independent_implementations():
    from scipy.stats import entropy
    from scipy.stats import variation as scipy_variation
    from sklearn.metrics.pairwise import cosine_similarity

    rng = np.random.default_rng(0)
    codes = rng.choice(12, 3000, p=rng.dirichlet(np.full(12, 2)))
    rows = unit(rng, 500)
    vectors = Vectors(rows, rng.integers(0, 500, len(codes)))
    found = measure(codes, vectors)
    counts = np.unique(codes, return_counts=True)[1]
    assert found.entropy == pytest.approx(
        entropy(counts, base=2) / math.log2(len(counts))
    )
    assert found.variation == pytest.approx(scipy_variation(counts))
    # half the relative mean absolute difference
    assert found.gini == pytest.approx(
        np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    )
    similar = [
        cosine_similarity(rows[vectors.of[codes == code]]) for code in np.unique(codes)
    ]
    assert found.cohesion == pytest.approx(
        np.mean([s[np.triu_indices(len(s), 1)].mean() for s in similar]), abs=1e-6
    )


def test_offers_are_the_same_metrics_over_pairs():
    rng = np.random.default_rng(1)
    member = rng.random((300, 6)) < 0.4
    vectors = Vectors(unit(rng, 300), np.arange(300))
    row, code = np.nonzero(member)
    expected = measure(code, Vectors(vectors.rows, row))
    found = metrics.measure_members(member, vectors)
    for name in METRICS:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-6)
    assert found.mentions == member.sum()


def test_a_hundred_thousand_mentions_in_bounded_memory():
    import tracemalloc

    rng = np.random.default_rng(2)
    n = 100_000
    rows = unit(rng, 1000, 64)
    texts = {f"t{i}": row for i, row in enumerate(rows)}
    stream = ((f"t{i % 1000}", f"type{i % 150}", f"type{i % 150}") for i in range(n))
    tracemalloc.start()
    found = metrics.measure_stream(
        stream, lambda names: np.stack([texts[t] for t in names])
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.mentions == n
    assert found.types == 150
    assert peak < 20e6  # the vectors of all mentions would be 25.6 MB


@pytest.mark.parametrize("wrong", [0.0, float("nan"), float("inf")])
def test_unusable_embedding(wrong):
    vectors = np.full((3, 4), wrong, dtype=np.float32)
    with pytest.raises(CorpusError, match="T030"):
        measure(np.zeros(3, dtype=int), Vectors(vectors, np.arange(3)))
    with pytest.raises(CorpusError, match="T042"):
        versions.embed(["a", "b", "c"], lambda texts: vectors)
    with pytest.raises(CorpusError, match="T042"):
        metrics.measure_stream(
            [("a", "x", "x"), ("b", "x", "x"), ("c", "x", "x")], lambda texts: vectors
        )


# -- Lists and rounds ----------------------------------------------------------------


def test_types(types):
    column = types.column
    assert (
        types.target[column["person", "real person", "politician"]]
        == column["person", "real person", "other person"]
    )
    assert (
        types.target[column["work",]] == column["miscellaneous",]
    )  # means "other" by its name
    place = types.target[column["place", "area"]]
    assert not types.real[place] and types.names[place] == (
        "place",
    )  # the parent, meaning "other place"
    assert types.target[column["work", "other work"]] == -1
    assert types.above[column["place",], column["place", "area", "city"]]
    assert not types.above[column["place", "area", "city"], column["place",]]


def test_base(types):
    lists = ls.base(
        np.array(
            [types.column["place", "area", "city"], types.column["place", "area"]]
        ),
        types,
    )
    assert lists.label(0) == "city" and lists.path(0) == "place > area > city"
    assert (
        "area" in lists.names(1)
        and "city" not in lists.names(1)
        and "school" in lists.names(1)
    )
    assert len(lists.names(0)) == int((types.leaf & types.real).sum())


def test_every_round_keeps_the_rules_whatever_its_parameters(types, corpus):
    base = ls.base(corpus.gold, types)
    rng = np.random.default_rng(0)
    for attempt in range(40):
        lists = base
        for one in rounds.ROUNDS:
            corner = rng.random() < 0.3
            params = {
                k: rng.choice([a, b]) if corner else rng.uniform(a, b)
                for k, (a, b) in one.ranges.items()
            }
            lists = one.apply(lists, corpus, np.random.default_rng(attempt), **params)
            ls.check(lists, corpus.gold)


def test_rounds_do_what_they_say(types, corpus):
    base = ls.base(corpus.gold, types)
    n = len(corpus.gold)
    mixed = rounds.mix(
        base,
        corpus,
        np.random.default_rng(0),
        lift=0.5,
        further=0.4,
        rarity=0,
        atypical=0,
        clumped=0,
        split=0.5,
    )
    lifted = mixed.answer != corpus.gold
    assert lifted.sum() == n // 2
    assert types.above[mixed.answer[lifted], corpus.gold[lifted]].all()
    assert len({len(types.paths[a]) for a in mixed.answer}) == 3
    named = rounds.rename(mixed, corpus, np.random.default_rng(0), rate=1.0, above=0)
    city = types.column["place", "area", "city"]
    assert {named.label(i) for i in np.flatnonzero(named.answer == city)} == {
        "town",
        "municipality",
    }
    assert (
        named.metrics(corpus.vectors).cohesion == mixed.metrics(corpus.vectors).cohesion
    )
    assert named.metrics(corpus.vectors, by_name=False) == mixed.metrics(
        corpus.vectors, by_name=False
    )
    short = rounds.narrow(
        named,
        corpus,
        np.random.default_rng(0),
        share=1.0,
        keep=0.0,
        relevance=2,
        balance=0,
    )
    assert (short.codes() == named.codes()).all()
    assert (
        short.lengths() <= named.lengths()
    ).all() and short.lengths().min() == ls.LEAST
    assert short.offers(corpus.vectors).cohesion > named.offers(corpus.vectors).cohesion
    merged = rounds.merge(
        named,
        corpus,
        np.random.default_rng(0),
        share=0.3,
        part=1.0,
        gain=0,
        rarity=0,
        width=0.3,
    )
    changed = merged.answer != named.answer
    assert 0 < changed.sum() <= 0.3 * n
    assert (merged.answer[changed] == types.target[named.answer[changed]]).all()


@pytest.mark.parametrize(
    "why",
    [
        "lacks its answer",
        "has less than 3 types",
        "has a type and its ancestor",
        "does not cover",
    ],
)
def test_a_broken_rule_is_found(types, why):
    city = types.column["place", "area", "city"]
    gold = np.array([city, city])
    lists = ls.base(gold, types)
    if why == "lacks its answer":
        lists.member[1, city] = False
    elif why == "has less than 3 types":
        lists.member[1] = False
        lists.member[1, [city, types.column["work", "song"]]] = True
    elif why == "has a type and its ancestor":
        lists.member[1, types.column["work",]] = True
    else:
        lists = replace(lists, answer=np.array([city, types.column["work", "song"]]))
    with pytest.raises(CorpusError, match=f"T038.*mention 2 .*{why}"):
        ls.check(lists, gold)


def test_an_ancestor_that_means_other_may_stand_beside(types):
    area = types.column["place", "area"]
    lists = ls.base(np.array([types.column["place", "area", "city"]]), types)
    lists.member[0, types.target[area]] = True  # "place", beside "city": other places
    ls.check(lists, np.array([types.column["place", "area", "city"]]))
    assert "place" in lists.names(0)


def test_twins_leave_one_name(taxonomy):
    twice = ls.Types(Taxonomy({"a": ["x", "y"], "b": ["x", "z"]}))
    gold = np.array(
        [twice.column["a", "x"], twice.column["b", "x"], twice.column["b", "z"]]
    )
    lists = ls.base(gold, twice)
    assert [lists.names(i) for i in range(3)] == [
        ["x", "y", "z"],
        ["y", "x", "z"],
        ["x", "y", "z"],
    ]
    ls.check(lists, gold)


# -- Search --------------------------------------------------------------------------


def test_search_accepts_only_what_does_not_get_worse(types, corpus):
    base = ls.base(corpus.gold, types)
    found = search(base, corpus, seed=1, budget=12)
    ls.check(found.lists, corpus.gold)
    assert len(found.log) == 12 * len(rounds.ROUNDS)
    start, end = base.metrics(corpus.vectors), found.lists.metrics(corpus.vectors)
    assert all(end.gain(m, start) >= -SLACK for m in METRICS)
    for one in rounds.ROUNDS:
        steps = [s for s in found.log if s.round == one.name]
        accepted = [s for s in steps if s.accepted]
        assert len(accepted) == (one.name in found.accepted)
        if accepted:
            assert not accepted[0].worse and accepted[0].score == max(
                s.score for s in steps if not s.worse
            )
        else:
            assert all(s.worse for s in steps)
    assert found.accepted


def test_seeds(types, corpus):
    base = ls.base(corpus.gold, types)
    one, same, other = (search(base, corpus, seed=s, budget=6) for s in (1, 1, 2))
    assert (one.lists.member == same.lists.member).all() and (
        one.lists.codes() == same.lists.codes()
    ).all()
    assert one.log == same.log
    assert (one.lists.member != other.lists.member).any()
    drawn = [random_version(base, corpus, seed=s).lists.member for s in (1, 1, 2)]
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any()


# -- Synonyms ------------------------------------------------------------------------


def test_synonym_tables_that_ship():
    taxonomy = builtin("dynamicner")
    assert "en" in synonyms.languages()
    for lang in synonyms.languages():
        table = synonyms.load(lang, taxonomy=taxonomy)
        assert all(path in taxonomy for path in table)
        assert sum(map(len, table.values())) > 155


@pytest.mark.parametrize(
    "table, why",
    [
        ({"work > film": ["film", "song"]}, "also names 'work -> song'"),
        (
            {"work > film": ["film", "Picture"], "work > song": ["song", "picture"]},
            "also names 'work -> film'",
        ),
        ({"work > film": ["film", "a, b"]}, "must be a non-empty string"),
        ({"work > film": ["film", " "]}, "must be a non-empty string"),
        ({"work > film": ["film", 3]}, "must be a non-empty string"),
    ],
)
def test_wrong_synonyms(taxonomy, write_json, table, why):
    with pytest.raises(CorpusError, match=f"T032.*{why}"):
        synonyms.load(str(write_json(table)), taxonomy=taxonomy)


def test_types_of_one_name_may_share_a_translation_but_no_synonym(write_json):
    taxonomy = Taxonomy({"a": {"a": ["x", "y"]}})
    table = {"a": ["A1"], "a > a": ["A1", "A2"], "a > a > unknown": ["Q"]}
    assert synonyms.load(str(write_json(table)), taxonomy=taxonomy) == {
        ("a",): ("A1",),
        ("a", "a"): ("A1", "A2"),
    }
    with pytest.raises(CorpusError, match="T032"):
        synonyms.load(
            str(write_json({"a": ["A1", "A2"], "a > a": ["A1", "A2"]})),
            taxonomy=taxonomy,
        )


@pytest.mark.parametrize(
    "content, why", [("[1]", "no object"), ("{", ""), ('{"a": "b"}', "no object")]
)
def test_unreadable_synonyms(taxonomy, write_json, content, why):
    with pytest.raises(CorpusError, match=f"T031.*{why}"):
        synonyms.load(str(write_json(content)), taxonomy=taxonomy)


def test_no_synonyms_for_a_language(taxonomy):
    with pytest.raises(CorpusError, match=r"T031.*no such file"):
        synonyms.load("tlh", taxonomy=taxonomy)


# -- On disk -------------------------------------------------------------------------

NAMES = {
    "politician": ["Merkel", "Lincoln", "Churchill"],
    "athlete": ["Bolt", "Pelé"],
    "city": ["Paris", "Lima", "Oslo", "Rome", "Accra", "Hanoi"],
    "country": ["Peru", "Chad", "Fiji"],
    "song": ["Imagine", "Yesterday"],
    "film": ["Alien", "Heat"],
    "award": ["Oscar"],
    "river": ["Nile", "Rhine", "Volga"],
}


@pytest.fixture
def source(write_json):
    rng = np.random.default_rng(5)
    value = {}
    for i in range(120):
        kinds = rng.choice(list(NAMES), 3, p=[0.2, 0.1, 0.3, 0.1, 0.1, 0.05, 0.05, 0.1])
        names = [f"{rng.choice(NAMES[k])}{i}" for k in kinds]
        value[f"sentence{i}"] = {
            "sentence": " met ".join(names) + ".",
            "entity": [*names, "gone"],
            "category": [*kinds, "city"],
        }
    return write_json(value, "corpus.json")


@pytest.fixture
def types_file(write_json):
    return write_json(TREE, "types.json")


def run(*args):
    return CliRunner().invoke(app, ["dynamic", *map(str, args), "--quiet"])


def test_versions_on_disk(source, types_file, write_json, tmp_path):
    table = write_json(SYNONYMS, "synonyms.json")
    out = tmp_path / "out"
    options = [
        "--taxonomy",
        types_file,
        "--synonyms",
        table,
        "--budget",
        4,
        "--seeds",
        2,
        "--licence",
        "CC0",
        "--json",
    ]
    result = run(source, out, *options)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["verdict"].keys() == {
        f"{m} {w}"
        for m in METRICS
        for w in ("not worse than base", "better than random mean")
    }
    assert (out / "versions.png").read_bytes().startswith(b"\x89PNG")
    assert len((out / "search.jsonl").read_text("utf8").splitlines()) == 4 * 4
    for name in ("base", "random", "dynamic"):
        folder = out / name
        docs = list(docbin.read(folder / "corpus.spacy", Report()))
        assert len(docs) == 120 and sum(len(r.mentions) for r in docs) == 360
        for record in docs:
            for mention, types, path in zip(
                record.mentions,
                record.meta["type_lists"],
                record.meta["paths"],
                strict=True,
            ):
                assert (
                    mention.label in types
                    and len(types) >= 3
                    and len(set(types)) == len(types)
                )
                assert path
        back = list(geic.read(folder / "corpus.geic.json", Report()))
        asked = list(swift.read(folder / "corpus.swift.json", Report()))
        for other in (back, asked):
            assert [r.mentions for r in other] == [r.mentions for r in docs]
            assert [r.meta["type_lists"] for r in other] == [
                r.meta["type_lists"] for r in docs
            ]
        sheet = json.loads((folder / "datasheet.json").read_text("utf8"))
        assert (
            sheet["content"]["mentions"] == 360
            and sheet["content"]["mentions_without_a_place_left_out"] == 120
        )
        assert sheet["licence"]["licence"] == "CC0" and set(sheet["files"]) == {
            f"corpus{s}" for s in (".spacy", ".geic.json", ".swift.json")
        }
        assert (
            (folder / "datasheet.md")
            .read_text("utf8")
            .startswith(f"# corpus.json, {name} version")
        )
        # what the table says can be measured again on the DocBin
        measured = json.loads(
            run(folder / "corpus.spacy", "--measure", "--json").stdout
        )
        of = figures["random"]["seeds"][0] if name == "random" else figures[name]
        for key, value in of["metrics"].items():
            assert measured["metrics"][key] == pytest.approx(value, abs=1e-6)
        assert measured["distinct_lists"] == of["distinct_lists"]
    assert figures["base"]["distinct_lists"] == 1 < figures["dynamic"]["distinct_lists"]

    same = tmp_path / "same"
    same.mkdir()
    (same / "versions.json").touch()
    assert run(source, same, *options, "--overwrite").exit_code == 0
    for path in sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file()):
        assert (out / path).read_bytes() == (same / path).read_bytes(), path


def test_each_and_docbin_source(source, types_file, tmp_path):
    tree = tmp_path / "tree"
    for lang in ("en", "de"):
        (tree / lang).mkdir(parents=True)
        docbin.write(geic.read(source, Report()), tree / lang / "train.spacy")
        docbin.write(list(geic.read(source, Report()))[:20], tree / lang / "dev.spacy")
    out = tmp_path / "out"
    options = [
        "--each",
        "--taxonomy",
        types_file,
        "--synonyms",
        "none",
        "--budget",
        1,
        "--seeds",
        1,
        "--to",
        "docbin",
    ]
    dry = run(tree, out, *options, "--dry-run")
    assert dry.exit_code == 0 and "dynamic" in dry.output and not out.exists()
    result = run(tree, out, *options)
    assert result.exit_code == 0, result.output
    for lang in ("en", "de"):
        assert {p.name for p in (out / lang / "dynamic").iterdir()} == {
            "train.spacy",
            "dev.spacy",
            "datasheet.json",
            "datasheet.md",
        }
    assert (out / "versions.png").is_file()
    refused = run(tree, out, *options)
    assert refused.exit_code == 1 and "T037" in refused.output
    assert "T039" in run(source, tmp_path / "x", *options).output


def test_own_types(source, tmp_path):
    result = run(
        source,
        tmp_path / "out",
        "--taxonomy",
        "labels",
        "--synonyms",
        "none",
        "--budget",
        4,
        "--seeds",
        1,
        "--to",
        "geic",
        "--json",
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["dynamic"]["distinct_lists"] > 1


def entry(*pairs):
    return {
        "sentence": " ".join(name for name, _ in pairs) or "Nothing.",
        "entity": [n for n, _ in pairs],
        "category": [t for _, t in pairs],
    }


@pytest.mark.parametrize(
    "value, options, code",
    [
        ({"s": entry()}, [], "T033"),
        ({"s": {"sentence": "A.", "entity": ["B"], "category": ["city"]}}, [], "T033"),
        ({"s": entry(("Paris", "city"), ("Rome", "city"))}, [], "T035"),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "runner"), ("Gil", "rider"))},
            [],
            "T034.*runner",
        ),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "runner"))},
            ["--taxonomy", "labels"],
            "T036",
        ),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "athlete"))},
            ["--to", "docx"],
            "T003.*--to",
        ),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "athlete"))},
            ["--taxonomy", "nowhere.json"],
            "T009",
        ),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "athlete"))},
            ["--synonyms", "tlh"],
            "T031",
        ),
    ],
)
def test_bad_input(write_json, tmp_path, value, options, code):
    result = run(write_json(value, "bad.json"), tmp_path / "out", *options)
    assert result.exit_code == 1
    assert re.search(code, result.output), result.output
    assert not (tmp_path / "out").exists()


def test_one_sentence(write_json, tmp_path):
    value = {"s": entry(("Paris", "city"), ("Bolt", "athlete"))}
    result = run(
        write_json(value, "one.json"),
        tmp_path / "out",
        "--budget",
        3,
        "--seeds",
        1,
        "--json",
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["base"]["metrics"]["mentions"] == 2


def test_own_lists_round_trip():
    record = Record.from_entries(
        "Paris met Rome.",
        [Mention(10, 14, "town"), Mention(0, 5, "city")],
        meta={"source": "x", "index": 0, "paths": ["place > city", "place > town"]},
        type_lists=[["town", "river"], ["city", "song"]],
    )
    assert record.entry_lists() == [["town", "river"], ["city", "song"]]
    assert replace(record, meta={}).entry_lists() is None


@pytest.mark.real_data
def test_dynamicner(data):
    source = versions.Source.open(data / "dynamicner" / "example.json")
    mentions = versions.read(source)
    taxonomy = builtin("dynamicner")
    vectors = versions.embed(mentions.texts, hash_embedder())
    found = versions.compare(
        mentions.labels,
        vectors,
        taxonomy,
        synonyms=synonyms.load("en", taxonomy=taxonomy),
        budget=16,
    )
    assert len(mentions.texts) == 2788 and mentions.rejected == 17
    assert all(found.verdict().values()), found.verdict()
    assert found.dynamic.distinct >= 400
