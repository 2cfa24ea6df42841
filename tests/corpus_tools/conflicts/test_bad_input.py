"""Input that is wrong, odd or real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus_tools.b2nerd.conflicts import model, rank, rules
from corpus_tools.b2nerd.conflicts.evidence import (
    form_of,
)
from corpus_tools.b2nerd.conflicts.sets import load_sets
from corpus_tools.b2nerd.conflicts.similar import Names
from corpus_tools.b2nerd.conflicts.strings import tokenize
from corpus_tools.cli import app
from corpus_tools.errors import CorpusError
from spacy_cascade.taxonomy import builtin

from .util import ASSETS, write_set


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


@pytest.mark.slow
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


@pytest.mark.slow
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
