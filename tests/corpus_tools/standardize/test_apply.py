"""Label maps applied to records and files."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from spacy.vocab import Vocab

from corpus_tools.b2nerd.standardize import (
    Standardizer,
    Tally,
    standardize,
)
from corpus_tools.errors import CorpusError
from corpus_tools.formats import b2nerd, docbin
from corpus_tools.issues import Report
from corpus_tools.records import Mention, Record, Rejected
from corpus_tools.units import RunOptions
from spacy_cascade.taxonomy import Taxonomy

from .util import MINI, TYPES, code, make


def test_record_keeps_order_lists_and_rejected_entries():
    apply = Standardizer(
        make(
            PER="person",
            GPE="location -> city",
            X=None,
            P2="person",
            reasons={"X": "no type"},
        ),
        TYPES,
    )
    entries = [
        Mention(8, 12, "GPE"),
        Mention(0, 3, "PER"),
        Rejected("Eve", "PER", "does not occur"),
        Mention(4, 7, "X"),
    ]
    lists = [["GPE", "PER", "X"], ["PER", "P2"], [], ["X"]]
    record = Record.from_entries(
        "Ann saw Rome", entries, labels=["X", "PER", "P2", "GPE"], type_lists=lists
    )
    tally = Tally()
    found = apply(record, tally)
    assert found.entries() == [
        Mention(8, 12, "city"),
        Mention(0, 3, "person"),
        Rejected("Eve", "person", "does not occur"),
    ]
    assert found.labels == ("person", "city")
    assert found.entry_lists() == [["city", "person"], ["person"], []]
    assert (tally.mentions, tally.kept, tally.dropped) == (3, 2, Counter({"X": 1}))


def test_mentions_that_become_equal_are_merged_and_counted():
    apply, tally = Standardizer(make(PER="person", HUMAN="person"), TYPES), Tally()
    found = apply(Record("Ann", (Mention(0, 3, "PER"), Mention(0, 3, "HUMAN"))), tally)
    assert found.mentions == (Mention(0, 3, "person"),)
    assert (tally.mentions, tally.kept, tally.merged) == (2, 1, 1)


@pytest.mark.parametrize(
    "style, expected",
    [
        ("name", ["country", "organization -> others"]),
        ("path", ["location -> country", "organization -> others"]),
        ("local", ["国家", "organization -> others"]),
    ],
)
def test_styles(style, expected):
    assert (
        Standardizer(
            make(C="location -> country", O="organization -> others"),
            TYPES,
            style,
            "zh",
        ).labels
        == expected
    )


def test_unknown_style():
    assert code(Standardizer, make(C="location -> country"), TYPES, "short") == "T003"


def test_local_names_resolve():
    assert TYPES.resolve("国家") == ("location", "country")
    back = Taxonomy.from_object(TYPES.to_dict())
    assert (
        back.localized(("location", "country"), "zh")
        == "国家"
        == back.names["zh"]["location > country"]
    )
    assert (
        back.localized(("location",), "zh")
        == back.localized(("location", "country"), "de")
        == ""
    )


def test_mini_corpora_keep_every_mention(tmp_path, maps, universal):
    result = standardize(
        MINI, tmp_path, maps, universal, RunOptions(to_format="b2nerd")
    )
    assert len(result["datasets"]) == 7
    assert sum(d["kept"] for d in result["datasets"].values()) == 1450
    assert json.loads((tmp_path / "standardize.json").read_text("utf8")) == result
    news = MINI / "NER_en" / "mini_news" / "test.json"
    old = list(b2nerd.read(news, Report()))
    new = list(b2nerd.read(tmp_path / "en" / "mini_news" / "test.json", Report()))
    assert [r.text for r in new] == [r.text for r in old]
    assert [[(m.start, m.end) for m in r.mentions] for r in new] == [
        [(m.start, m.end) for m in r.mentions] for r in old
    ]
    renamed = {
        (a.label, b.label)
        for o, n in zip(old, new, strict=True)
        for a, b in zip(o.mentions, n.mentions, strict=True)
    }
    assert ("location", "location or geo-political entity") in renamed
    assert (
        "nationality or political group",
        "nationality or political group",
    ) in renamed


def test_docbin_has_paths_and_can_be_standardized_itself(tmp_path, maps, universal):
    source = MINI / "NER_en" / "mini_legal" / "test.json"
    raw = tmp_path / "raw.spacy"
    b2 = b2nerd.read(source, Report())
    about = {"language": "en", "dataset": "mini_legal"}
    docbin.write(
        (Record(r.text, r.mentions, meta={**r.meta, **about}) for r in b2), raw
    )
    direct, again = tmp_path / "direct.spacy", tmp_path / "again.spacy"
    run = RunOptions(write_options={"taxonomy": universal})
    standardize(source, direct, maps, universal, run)
    standardize(raw, again, maps, universal, run)
    for path in (direct, again):
        paths = {
            p
            for doc in docbin.load(path).get_docs(Vocab())
            for p in doc.spans["gold"].attrs["paths"]
        }
        assert "location > geo-political entity > country" in paths
        assert all(universal.resolve(p) for p in paths)


def test_label_without_entry_writes_nothing(tmp_path, write_json):
    records = [
        {"sentence": "Ann", "entities": [{"name": "Ann", "type": "NEW", "pos": [0, 3]}]}
    ]
    source = write_json(records, "en/x/train.json")
    target = tmp_path / "out.json"
    assert code(standardize, source, target, make(PER="person"), TYPES) == "T053"
    assert not target.exists() and not list(tmp_path.glob(".*tmp"))


def test_data_set_without_map_and_existing_output(
    tmp_path, write_json, maps, universal
):
    records = [
        {"sentence": "Ann", "entities": [{"name": "Ann", "type": "PER", "pos": [0, 3]}]}
    ]
    source = write_json(records, "en/x/train.json")
    target = tmp_path / "out.json"
    assert code(standardize, source, target, maps, universal) == "T058"
    plain = RunOptions(to_format="b2nerd")
    standardize(source, target, make(PER="person"), TYPES, plain)
    first = target.read_bytes()
    with pytest.raises(CorpusError) as err:
        standardize(source, target, make(PER="person -> politician"), TYPES, plain)
    assert err.value.code == "T071" and target.read_bytes() == first
    dry = standardize(
        source,
        target,
        make(PER="person -> politician"),
        TYPES,
        replace(plain, dry_run=True),
    )
    assert str(target) in dry["would_overwrite"] and target.read_bytes() == first
    standardize(
        source,
        target,
        make(PER="person -> politician"),
        TYPES,
        replace(plain, overwrite=True),
    )
    assert (
        json.loads(target.read_text("utf8"))[0]["entities"][0]["type"] == "politician"
    )


@pytest.mark.slow
@pytest.mark.real_data
def test_real_set_keeps_every_mention_or_says_why(data, tmp_path, maps, universal):
    source = data / "b2nerd_style" / "en" / "wetlab_protocols"
    split = {
        n: json.loads((source / f"{n}.json").read_text("utf8"))
        for n in ("train", "dev", "test")
    }
    raw = Counter(
        e["type"] for records in split.values() for r in records for e in r["entities"]
    )
    english = {n: m for n, m in maps.items() if n.startswith("en/")}
    run = RunOptions(to_format="b2nerd", limit=50)
    result = standardize(source.parent, tmp_path, english, universal, run)
    assert len(result["datasets"]) == 39
    one = standardize(
        source / "train.json",
        tmp_path / "one.json",
        maps,
        universal,
        RunOptions(to_format="b2nerd"),
    )["datasets"]["train"]
    train = Counter(e["type"] for r in split["train"] for e in r["entities"])
    assert one["mentions"] == sum(train.values()) == one["kept"] + train["mention"]
    assert one["dropped"] == {
        "mention": {
            "mentions": train["mention"],
            "reason": maps["en/wetlab_protocols"].reasons["mention"],
        }
    }
    assert raw["mention"] == 128
    written = Counter(
        e["type"]
        for r in json.loads((tmp_path / "one.json").read_text("utf8"))
        for e in r["entities"]
    )
    assert written["laboratory container"] == train["location"]
