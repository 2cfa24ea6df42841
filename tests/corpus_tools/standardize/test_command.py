"""The command `standardize`."""

from __future__ import annotations

import json

import pytest

from .util import MINI, run


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


@pytest.mark.slow
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
