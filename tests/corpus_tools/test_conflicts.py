"""Conflict detection between data sets."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.scorer import Scorer
from spacy.training import Example
from typer.testing import CliRunner

from corpus_tools.b2nerd.conflicts import detect, edges, heatmap, model, rank, rules
from corpus_tools.b2nerd.conflicts.evidence import (
    EDGES,
    NOT_EXTRACTED,
    PARTIALLY_EXTRACTED,
    STRINGS,
    WRONG_CATEGORY,
    Evidence,
    form_of,
    strength,
    wilson,
)
from corpus_tools.b2nerd.conflicts.score import Score, score
from corpus_tools.b2nerd.conflicts.sets import DataSet, load_sets
from corpus_tools.b2nerd.conflicts.similar import Names, Relation, read_maps
from corpus_tools.b2nerd.conflicts.strings import StringIndex, tokenize
from corpus_tools.cli import app
from corpus_tools.embedding import get_embedder
from corpus_tools.errors import CorpusError
from corpus_tools.records import Mention, Record
from spacy_cascade.taxonomy import builtin

ASSETS = Path(__file__).parents[2] / "assets"
MINI = ASSETS / "corpora" / "b2nerd_mini"
ALIASES = ASSETS / "mentions_zh_en.json"


def record(marked: str) -> Record:
    """'[Rhine|location] floods' as a record."""
    text, mentions = "", []
    for piece in marked.split("["):
        if "|" in piece and "]" in piece:
            inner, _, rest = piece.partition("]")
            name, _, label = inner.rpartition("|")
            mentions.append(Mention(len(text), len(text) + len(name), label))
            text += name + rest
        else:
            text += piece
    return Record(text, tuple(mentions))


def dataset(name: str, *marked: str) -> DataSet:
    return DataSet(name, {"train": [record(m) for m in marked]})


def write_set(folder: Path, *marked: str) -> Path:
    folder.mkdir(parents=True)
    rows = [
        {
            "sentence": r.text,
            "entities": [
                {
                    "name": r.text[m.start : m.end],
                    "type": m.label,
                    "pos": [m.start, m.end],
                }
                for m in r.mentions
            ],
        }
        for r in map(record, marked)
    ]
    (folder / "train.json").write_text(json.dumps(rows), "utf8")
    return folder


def shown(found: list[Evidence]) -> set[tuple[str, str, str, str, int]]:
    return {(e.a, e.label, e.kind, e.other, e.n) for e in found}


# -- Rules ---------------------------------------------------------------------------


def test_three_classes_and_agreement():
    a = dataset(
        "a",
        "[Egypt|location] is hot",
        "the [Rhine river|location]",
        "[Ajax|location] won",
        "[Oslo|location] is cold",
    )
    b = dataset(
        "b",
        "[Egypt|country] won",
        "the [Rhine|location] river",
        "Ajax lost",
        "in [Oslo|location]",
        "[Rome|location]",
    )
    found = [e for e in rules.find([a, b], Names()) if e.a == "a"]
    assert shown(found) == {
        ("a", "location", WRONG_CATEGORY, "country", 1),
        ("a", "location", PARTIALLY_EXTRACTED, "location", 1),
        ("a", "location", NOT_EXTRACTED, "", 1),
    }
    partial = next(e for e in found if e.kind == PARTIALLY_EXTRACTED)
    assert (
        partial.form == "generic geographic word"
        and partial.checked == 4
        and partial.strings == {"Rhine river": 1}
    )
    assert partial.examples == ["the [Rhine river]"]
    assert next(e for e in found if e.kind == NOT_EXTRACTED).form == "name"


def test_never_inside_another_entity():
    a = dataset("a", "[New York|location] is big")
    b = dataset("b", "the [New York Times|organization] wrote", "[Oslo|location]")
    assert rules.find([a, b], Names()) == []


def test_never_inside_a_longer_known_string():
    a = dataset("a", "[York|location] is old", "[New York|location] is big")
    b = dataset("b", "New York again", "[Oslo|location]")
    assert [dict(e.strings) for e in rules.find([a, b], Names()) if e.a == "a"] == [
        {"New York": 1}
    ]


def test_ambiguous_strings_prove_nothing():
    a = dataset(
        "a",
        "[Liverpool|organization] won",
        "rain in [Liverpool|location]",
        "[Oslo|location]",
    )
    b = dataset("b", "Liverpool paid", "[Bonn|location]", "[Shell|organization]")
    assert rules.find([a, b], Names()) == []


def test_own_noise_is_measured():
    a = dataset(
        "a",
        "[May|person] left",
        "[May|person] came",
        "in May it rained",
        "[Ann|person]",
    )
    b = dataset("b", "last May was dry", "[Bob|person]")
    (one,) = [e for e in rules.find([a, b], Names()) if e.a == "a"]
    assert one.own_rate == pytest.approx(1 / 4)


def test_labels_without_counterpart_are_marked():
    a = dataset("a", "a [tent|product]", "a [lamp|product]")
    b = dataset("b", "the tent fell", "[Bonn|location]")
    (one,) = rules.find([a, b], Names())
    assert (
        not one.comparable and one.form == ""
    )  # no capital letter in the whole set: case says nothing
    assert rules.totals([one]) == {}


def test_aliases_join_languages():
    a, b = (
        dataset("a", "患者[发热|disease]三天"),
        dataset("b", "malaria with fever", "[asthma|disease]"),
    )
    assert rules.find([a, b], Names()) == []
    (one,) = rules.find([a, b], Names(), aliases={"发热": "fever"})
    assert (one.a, one.b, one.kind, one.examples) == (
        "a",
        "b",
        NOT_EXTRACTED,
        ["malaria with [fever]"],
    )


def test_index_agrees_with_a_search_for_each_string():
    draw = random.Random(0)
    words = ["New", "York", "Times", "the", "Rhine", "U.S.", "京", "都", "a-b"]
    strings = {" ".join(draw.choices(words, k=draw.randint(1, 3))) for _ in range(60)}
    text = " ".join(draw.choices(words, k=300))
    index = StringIndex(strings)
    tokens = [t.text for t in tokenize(text)]
    expected: Counter[str] = Counter()
    for string in strings:
        wanted = [t.text for t in tokenize(string)]
        if wanted not in (
            ["京"],
            ["都"],
        ):  # single characters of such scripts may be part of any word
            expected[string] = sum(
                tokens[i : i + len(wanted)] == wanted for i in range(len(tokens))
            )
    found = Counter(index.strings[n] for n, _, _ in index.find(text))
    assert +found == +expected and len(+found) > 10


def test_many_strings_do_not_slow_down_the_scan():
    """The same text against 100 and against 10,000 strings that do not occur in it."""

    def seconds(n: int) -> float:
        index = StringIndex(f"Name{i} Surname{i}" for i in range(n))
        text = "Some words without any name in them " * 500
        start = time.process_time()
        assert list(index.find(text)) == []
        return time.process_time() - start

    assert (
        min(seconds(10_000) for _ in range(2))
        < 5 * min(seconds(100) for _ in range(2)) + 0.02
    )


# -- Edges ---------------------------------------------------------------------------


def test_titles_inside_and_outside():
    a = dataset(
        "a",
        *(
            f"[Judge {name}|person] ruled"
            for name in ("Sato", "Pell", "Vane", "Osei", "Lund")
        ),
    )
    b = dataset(
        "b",
        "Governor [Park|person] said",
        "by Dr. [Farouk|person]",
        "[Ann Lee|person] came",
    )
    (one,) = edges.find([a, b], Names())
    assert (one.source, one.a, one.kind, one.form, one.n, one.checked) == (
        EDGES,
        "a",
        PARTIALLY_EXTRACTED,
        "title",
        2,
        2,
    )


def test_same_head_word_with_another_label():
    a = dataset("a", "the [Supreme Court|organization]", "[Ajax|organization]")
    b = dataset(
        "b", "the [Labour Court|court]", "[Federal Court|court]", "[Shell|organization]"
    )
    (one,) = edges.find([a, b], Names(taxonomy=builtin("universal")))
    assert (one.kind, one.label, one.other, one.form, one.n) == (
        WRONG_CATEGORY,
        "organization",
        "court",
        "court",
        2,
    )


# -- Names ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, b, relation",
    [
        ("organisation", "organization", Relation.SAME),
        ("location->others", "location", Relation.SAME),
        ("other location", "location", Relation.SAME),
        ("geographic location", "location", Relation.SIMILAR),
        ("drug", "chemical or drug", Relation.SIMILAR),
        ("date", "date or period", Relation.SIMILAR),
        ("product attribute->flavor", "flavor or texture", Relation.SIMILAR),
        ("location", "location->city", Relation.BROADER),
        ("city", "location", Relation.NARROWER),
        ("organism", "microorganism", Relation.BROADER),
        ("body part", "anatomical structure", Relation.NARROWER),
        ("event", "sports event", Relation.BROADER),
        ("product", "criminal offense", Relation.NONE),
        ("person", "price", Relation.NONE),
    ],
)
def test_relations(a, b, relation):
    names = Names(taxonomy=builtin("universal"), embedder=get_embedder("hash"))
    assert names.relation(names("x", a), names("y", b)) == relation


def test_label_maps_come_first(write_json):
    maps = read_maps(write_json({"a": {"LOC": "location"}, "b": {"GPE": "location"}}))
    names = Names(maps=maps)
    assert (
        names("a", "LOC") == names("b", "GPE") == "location"
        and names("c", "GPE") == "gpe"
    )
    everywhere = Names(maps=read_maps(write_json({"PER": "person"}, "all.json")))
    assert everywhere("any", "PER") == "person"


def test_embedder_finds_other_spellings():
    assert Names().relation("corporation", "corporations") == Relation.NONE
    assert (
        Names(embedder=get_embedder("hash"), threshold=0.7).relation(
            "corporation", "corporations"
        )
        == Relation.SIMILAR
    )


# -- Ranking -------------------------------------------------------------------------


def test_wilson_is_the_textbook_bound():
    # Wilson 1927: lower end for 8 of 10 is 0.4902, for 50 of 100 is 0.4038
    assert wilson(8, 10) == pytest.approx(0.4902, abs=1e-4)
    assert wilson(50, 100) == pytest.approx(0.4038, abs=1e-4)
    assert wilson(0, 0) == 0 and strength(5, 10, 0.9) == 0
    assert strength(90, 100) > strength(9, 10) > strength(2, 10)


def test_the_broader_label_is_split_and_both_directions_join():
    a = dataset("a", "[Egypt|location]", "[Malta|location]", "[Bonn|location]")
    b = dataset("b", "[Egypt|country]", "[Malta|country]", "[Rhine|location]")
    names = Names(taxonomy=builtin("universal"))
    (one,) = rank.rank(rules.find([a, b], names), names, [a, b])
    assert (one.label, one.other, one.n, one.wide, one.narrow) == (
        "location",
        "country",
        4,
        ["a"],
        ["b"],
    )
    assert one.split == ["location -> country", "location -> others"]
    assert one.home is None and one.loss == 0


def test_nominal_mentions_of_a_type_for_names():
    a = dataset("a", *["the [king|person] of [Ann|person]"] * 3)
    b = dataset("b", *["the king left [Bob|person]"] * 3)
    names = Names()
    (one,) = rank.rank(rules.find([a, b], names), names, [a, b])
    assert (one.label, one.other, one.n, one.checked) == ("person", rank.NOMINALS, 3, 3)
    assert one.split == ["person -> named", "person -> nominal mention"]


def test_unmarked_mentions_get_the_name_that_a_third_set_gives_them():
    a = dataset("a", "[Ajax|organization]", "[Shell|organization]")
    b = dataset("b", "Ajax paid", "[BBC|organization]")
    c = dataset("c", "[Ajax|sports team] won", "[UN|organization]")
    names = Names(taxonomy=builtin("universal"))
    found = {
        (x.label, x.other): x
        for x in rank.rank(rules.find([a, b, c], names), names, [a, b, c])
    }
    assert found["organization", rank.UNMARKED].split == [
        "organization -> sports team",
        "organization -> others",
    ]


def test_loss_of_f1_raises_the_rank():
    a, b = dataset("a", "[Egypt|location]"), dataset("b", "[Egypt|location]")
    home = Score(
        "a",
        "a",
        Counter({("location", "location"): 9}),
        Counter(location=10),
        Counter(location=10),
    )
    away = {"predicted": Counter(location=40), "gold": Counter(location=10)}

    def found(right: int) -> rank.Conflict:
        evidence = [
            Evidence(
                "tagger", "a", "b", "location", NOT_EXTRACTED, n=40 - right, checked=40
            )
        ]
        cross = Score(
            "a",
            "b",
            Counter({("location", "location"): right}),
            evidence=evidence,
            **away,
        )
        (one,) = rank.rank([], Names(), [a, b], [home, cross])
        return one

    low, high = found(2), found(9)
    assert (low.home, low.cross) == (pytest.approx(0.9), pytest.approx(4 / 50))
    assert low.loss == pytest.approx(1 - (4 / 50) / 0.9) and low.score > high.score > 0
    assert (low.predicted, low.predictions, low.sources) == (38, 40, ["tagger"])


# -- Planted inconsistencies of the mini corpora -------------------------------------


@pytest.fixture(scope="module")
def mini(tmp_path_factory) -> dict:
    settings = detect.Settings(
        taxonomy=builtin("universal"), aliases=ALIASES, rules_only=True
    )
    return detect.detect([MINI], tmp_path_factory.mktemp("mini"), settings)


PLANTED = [
    # (number in the corpora's README, label, what other sets do, a string)
    (1, "location", "country", "Egypt"),
    (1, "location", "city", "Vienna"),
    (2, "organization", rank.UNMARKED, "Ajax"),
    (2, "organization", "sports team", ""),
    (3, "organization", "court", "Labour Court"),
    (3, "organization", "government agency", "Securities and Exchange Commission"),
    (4, "location", "(without generic geographic word)", "Rhine river"),
    (5, "disease", rank.UNMARKED, "fever"),
    (6, "product", rank.UNMARKED, "帐篷"),
    (7, "person", "(without title)", "Park"),
    (8, "price", "(without currency unit)", "129"),
    (8, "amount of money", "monetary penalty", "$5,000"),
    (8, "amount of money", "price", "$11"),
    (10, "person or group", "job title", "programmer"),
    (11, "organization", "brand", "华为"),
    (11, "time expression", "season or festival", "清明"),
    (11, "nationality or political group", "cuisine", "Japanese"),
]


@pytest.mark.parametrize("number, label, other, string", PLANTED)
def test_planted_conflicts_are_found(mini, number, label, other, string):
    found = {
        (c["label"], c["other"]): c
        for c in (*mini["conflicts"], *mini["no_counterpart"])
    }
    assert (label, other) in found, sorted(found)
    assert (
        not string
        or string in found[label, other]["strings"]
        or string in str(found[label, other]["examples"])
    )


@pytest.mark.parametrize(
    "number, a, b",
    [
        (9, "date", "date or period"),
        (10, "person", "person or group"),
        (12, "chemical or drug", "drug"),
        (12, "anatomical structure", "body part"),
        (12, "organism", "microorganism"),
        (12, "flavor", "flavor or texture"),
    ],
)
def test_planted_near_synonyms_are_found(mini, number, a, b):
    assert {a, b} in [{pair["a"], pair["b"]} for pair in mini["similar"]]


def test_ambiguity_within_a_set_is_no_conflict(mini):
    strings = {
        s for c in (*mini["conflicts"], *mini["no_counterpart"]) for s in c["strings"]
    }
    assert strings.isdisjoint({"Liverpool", "bitter", "tagine", "苹果"})


# -- Taggers -------------------------------------------------------------------------


def test_scores_agree_with_spacy():
    train = [
        Record(
            "Ann met Bob in Rome",
            (Mention(0, 3, "PER"), Mention(8, 11, "PER"), Mention(15, 19, "LOC")),
        )
    ]
    test = [
        record("[Ann|PER] saw [Rome|LOC]"),
        record("Bob and [Cleo|PER] left"),
        record("[Rome|ORG] won"),
    ]
    nlp = spacy.blank("en")
    patterns = [
        {"label": m.label, "pattern": train[0].text[m.start : m.end]}
        for m in train[0].mentions
    ]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    ours = score(nlp, "a", "b", test)
    examples = [
        Example.from_dict(
            nlp(r.text), {"entities": [(m.start, m.end, m.label) for m in r.mentions]}
        )
        for r in test
    ]
    theirs = Scorer.score_spans(examples, "ents")["ents_per_type"]
    for label in ("PER", "LOC", "ORG"):
        p, r, f = ours.prf(label, label)
        assert (p, r, f) == pytest.approx(
            (theirs[label]["p"], theirs[label]["r"], theirs[label]["f"])
        ), label
    assert ours.prf("LOC", "ORG") == pytest.approx((0.5, 1.0, 2 / 3))
    wrong = {
        (e.label, e.kind, e.other): e.n for e in ours.evidence if e.label != e.other
    }
    assert wrong == {("LOC", WRONG_CATEGORY, "ORG"): 1, ("PER", NOT_EXTRACTED, ""): 1}
    assert Score.from_dict(json.loads(json.dumps(ours.to_dict()))) == ours


def test_divide_keeps_training_and_test_apart():
    records = [record(f"sentence {i} with [Ann|person]") for i in range(40)]
    train, dev, test = model.divide(DataSet("x", {"train": records}), seed=1)
    texts = [{r.text for r in part} for part in (train, dev, test)]
    assert (
        sum(map(len, texts)) == 40
        and not set.intersection(*texts)
        and len(texts[2]) == 8
    )
    assert model.divide(DataSet("x", {"train": records}), seed=1)[2] == test
    assert model.divide(DataSet("x", {"train": records}), seed=2)[2] != test
    given = DataSet(
        "x", {"train": records[:20], "dev": records[20:30], "test": records[30:]}
    )
    assert model.divide(given)[1:] == (records[20:30], records[30:])


def test_default_config_makes_a_pipeline():
    config = model.load_config(max_steps=7, seed=3)
    assert config["training"]["max_steps"] == 7 and config["system"]["seed"] == 3
    nlp = spacy.util.load_model_from_config(
        config.interpolate(), auto_fill=True, validate=True
    )
    assert nlp.pipe_names == ["tok2vec", "ner"]


@pytest.fixture
def tiny(tmp_path) -> list[Path]:
    people, places = ["Ann", "Bob", "Cleo", "Dan"], ["Rome", "Oslo", "Bonn", "Lima"]
    lines = [
        f"[{p}|person] lives in [{q}|location] now" for p in people for q in places
    ]
    other = [line.replace("|location", "|country") for line in lines]
    return [write_set(tmp_path / "one", *lines), write_set(tmp_path / "two", *other)]


def test_cross_scores_and_heat_map(tiny, tmp_path):
    settings = detect.Settings(taxonomy=builtin("universal"), max_steps=50)
    result = detect.detect(tiny, tmp_path / "out", settings)
    (top,) = [
        c
        for c in result["conflicts"]
        if (c["label"], c["other"]) == ("location", "country")
    ]
    assert (
        top["home"] > 0.8
        and top["predicted"] > 0
        and set(top["sources"]) == {STRINGS, "tagger"}
    )
    person = next(m for m in result["f1"] if m["type"] == "person")
    assert np.min(person["f1"]) > 0.8  # both sets agree on persons
    assert (tmp_path / "out" / "heatmap-person.png").read_bytes().startswith(b"\x89PNG")
    assert "location -> country" in (tmp_path / "out" / "conflicts.md").read_text(
        "utf8"
    )
    assert (
        len((tmp_path / "out" / "evidence.jsonl").read_text("utf8").splitlines()) == 2
    )
    # a second run takes everything from the cache and ends the same
    taggers = {
        p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "cache").glob("*/tagger")
    }
    again = detect.detect(tiny, tmp_path / "out", settings, overwrite=True)
    assert again == result
    assert len(taggers) == 2 and taggers == {p: p.stat().st_mtime_ns for p in taggers}
    # other data or another config means another tagger
    detect.detect(
        tiny,
        tmp_path / "out",
        detect.Settings(taxonomy=builtin("universal"), max_steps=1),
        overwrite=True,
    )
    assert len(list((tmp_path / "out" / "cache").glob("*/tagger"))) == 4


def test_transformer_config_trains(tiny, tmp_path):
    """With a tiny random transformer instead of the pretrained one."""
    pytest.importorskip(
        "spacy_transformers", reason="spacy-transformers is not installed"
    )
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path / "bert"
    folder.mkdir()
    letters = [chr(code) for code in range(33, 127)]
    vocab = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{c}" for c in letters),
    ]
    (folder / "vocab.txt").write_text("\n".join(vocab), "utf8")
    BertTokenizerFast(
        vocab_file=str(folder / "vocab.txt"), do_lower_case=False
    ).save_pretrained(folder)
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    BertModel(BertConfig(vocab_size=len(vocab), **sizes)).save_pretrained(folder)
    text = model.DEFAULT_CONFIG.with_name("conflicts_transformer.cfg").read_text("utf8")
    config = tmp_path / "tiny.cfg"
    config.write_text(
        text.replace("distilbert-base-multilingual-cased", str(folder)).replace(
            "0.00005", "0.005"
        ),
        "utf8",
    )
    settings = detect.Settings(
        taxonomy=builtin("universal"), config=config, max_steps=40
    )
    result = detect.detect(tiny, tmp_path / "out", settings)
    assert np.min(next(m for m in result["f1"] if m["type"] == "person")["f1"]) > 0.8


def test_heat_map_holds_the_scores(tmp_path):
    a, b = dataset("a", "[Rome|location]"), dataset("b", "[Rome|other location]")
    pair = [
        Score(x, y, Counter({(la, lb): n}), Counter({la: 10}), Counter({lb: 10}))
        for x, la in (("a", "location"), ("b", "other location"))
        for y, lb, n in (("a", "location", 5), ("b", "other location", 8))
    ]
    (one,) = heatmap.matrices([a, b], Names(), pair)
    assert one.rows == [("a", "location"), ("b", "other location")]
    assert one.f1 == pytest.approx(np.array([[0.5, 0.8], [0.5, 0.8]]))
    heatmap.draw(one, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size < 150_000


def test_kill_and_resume(tiny, tmp_path):
    """kill -9 in the middle of cross validation; the next run goes on and ends exactly
    like an undisturbed one.
    """
    options = ["--max-steps", "15", "--quiet", "--embedder", "none"]
    out = tmp_path / "killed"
    cache = out / "cache"
    command = [
        sys.executable,
        "-m",
        "corpus_tools",
        "conflicts",
        *map(str, tiny),
        str(out),
        *options,
    ]
    process = subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 240
    while {p.parent for p in cache.glob("*/unfinished")} <= {
        p.parent for p in cache.glob("*/tagger")
    } or not list(cache.glob("*/tagger")):  # until the second training has begun
        assert process.poll() is None and time.monotonic() < deadline, (
            "the run ended before it could be killed"
        )
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / detect.RESULT).exists()
    (done,) = cache.glob("*/tagger")
    before = done.stat().st_mtime_ns
    resumed, undisturbed = (
        CliRunner().invoke(
            app, ["conflicts", *map(str, tiny), str(target), *options, "--json"]
        )
        for target in (out, tmp_path / "whole")
    )
    assert resumed.exit_code == undisturbed.exit_code == 0, resumed.output
    assert resumed.stdout == undisturbed.stdout
    assert (out / detect.RESULT).read_bytes() == (
        tmp_path / "whole" / detect.RESULT
    ).read_bytes()
    assert done.stat().st_mtime_ns == before and not list(cache.glob("*/unfinished"))


# -- Bad input -----------------------------------------------------------------------


def fails(code: str, *args: str | Path) -> str:
    result = CliRunner().invoke(app, ["conflicts", *map(str, args)])
    assert result.exit_code == 1 and code in result.stderr, (
        result.output,
        result.exception,
    )
    return result.stderr


def test_one_set_is_not_enough(tiny, tmp_path):
    fails("T060", tiny[0], tmp_path / "out")


def test_sets_without_mentions_are_left_out(tiny, tmp_path):
    empty = write_set(tmp_path / "empty", "nothing here", "nor here")
    assert "no record of empty" in fails("T060", tiny[0], empty, tmp_path / "out")
    result = CliRunner().invoke(
        app, ["conflicts", *map(str, (*tiny, empty, tmp_path / "out")), "--rules-only"]
    )
    assert result.exit_code == 0 and "left out: no mention" in result.output


def test_no_shared_types(tmp_path):
    a, b = (
        write_set(tmp_path / "a", "[Rome|location]"),
        write_set(tmp_path / "b", "[arson|criminal offense]"),
    )
    assert "criminal offense" in fails("T063", a, b, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_type_and_one_sentence(tmp_path):
    a, b = (
        write_set(tmp_path / "a", "[Rome|location] is old"),
        write_set(tmp_path / "b", "Rome and [Oslo|location]"),
    )
    result = CliRunner().invoke(
        app, ["conflicts", str(a), str(b), str(tmp_path / "out")]
    )
    assert result.exit_code == 0 and "No tagger for a, b" in result.output
    (one,) = json.loads((tmp_path / "out" / "conflicts.json").read_text("utf8"))[
        "conflicts"
    ]
    assert (one["label"], one["n"], one["home"]) == ("location", 1, None)


def test_unknown_types(tiny, tmp_path):
    assert "person" in fails(
        "T064", *tiny, tmp_path / "out", "--types", "gene or protein"
    )


@pytest.mark.parametrize(
    "text, why", [("[nlp]\npipeline = []\n", "no 'ner'"), ("pipeline", "")]
)
def test_bad_config(tiny, tmp_path, text, why):
    (tmp_path / "bad.cfg").write_text(text, "utf8")
    assert why in fails(
        "T065", *tiny, tmp_path / "out", "--config", tmp_path / "bad.cfg"
    )


def test_config_with_unknown_parts(tiny, tmp_path):
    text = model.DEFAULT_CONFIG.read_text("utf8").replace(
        "spacy.MaxoutWindowEncoder.v2", "nobody.Encoder.v1"
    )
    (tmp_path / "bad.cfg").write_text(text, "utf8")
    assert "nobody.Encoder.v1" in fails(
        "T065", *tiny, tmp_path / "out", "--config", tmp_path / "bad.cfg"
    )


@pytest.mark.parametrize("value", ["[1, 2]", '{"a": 1}', "{", '{"a": {"b": 2}}'])
def test_bad_maps(tiny, tmp_path, write_json, value):
    fails(
        "T066",
        *tiny,
        tmp_path / "out",
        "--rules-only",
        "--label-map",
        write_json(value, "map.json"),
    )


def test_missing_files(tiny, tmp_path):
    fails("T001", tiny[0], tmp_path / "nowhere", tmp_path / "out")
    fails(
        "T001",
        *tiny,
        tmp_path / "out",
        "--aliases",
        tmp_path / "nowhere.json",
        "--rules-only",
    )
    fails("T001", *tiny, tmp_path / "out", "--config", tmp_path / "nowhere.cfg")


def test_earlier_output_is_kept(tiny, tmp_path):
    run = ["conflicts", *map(str, tiny), str(tmp_path / "out"), "--rules-only"]
    assert CliRunner().invoke(app, run).exit_code == 0
    fails("T061", *run[1:])
    assert CliRunner().invoke(app, [*run, "--overwrite"]).exit_code == 0


def test_dry_run_writes_nothing(tiny, tmp_path):
    result = CliRunner().invoke(
        app,
        ["conflicts", *map(str, tiny), str(tmp_path / "out"), "--dry-run", "--json"],
    )
    plan = json.loads(result.stdout)
    assert plan["shared_types"] == ["person"] and plan["sets"]["one"] == {
        "sentences": 16,
        "mentions": 32,
    }
    assert not (tmp_path / "out").exists()


def test_limit_is_a_seeded_sample(tiny):
    def texts(seed: int) -> list[str]:
        return [r.text for r in load_sets(tiny, limit=5, seed=seed)[0].records()]

    assert len(texts(0)) == 5 and texts(0) == texts(0) != texts(1)


def test_form_and_tokens():
    assert [form_of(s) for s in ("Rome", "the king", "罗马", "12")] == [
        "name",
        "nominal",
        "",
        "",
    ]
    assert [t.text for t in tokenize("U.S.手机129元")] == [
        "U",
        ".",
        "S",
        ".",
        "手",
        "机",
        "129",
        "元",
    ]


# -- Real data -----------------------------------------------------------------------


@pytest.mark.real_data
def test_known_disagreements_of_real_sets(data):
    folder = data / "b2nerd_style" / "en"
    sets = load_sets(
        [
            folder / name
            for name in ("conll2003", "wikigold", "crossner_politics", "gum_mentions")
        ],
        limit=500,
    )
    names = Names(taxonomy=builtin("universal"))
    found = rank.rank(rules.find(sets, names), names, sets)
    top = {(c.label, c.other): i for i, c in enumerate(found[:10])}
    assert ("location", "country") in top and ("person", rank.NOMINALS) in top
    by_key = {(c.label, c.other): c for c in found}
    assert by_key["location", "country"].narrow == ["crossner_politics"]
    assert by_key["person", rank.NOMINALS].wide[0] == "gum_mentions"


def test_errors_have_codes():
    with pytest.raises(CorpusError) as err:
        load_sets([ASSETS / "lexicon"])
    assert err.value.code == "T060"
