from __future__ import annotations

import json
import random

import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.errors import CorpusError
from corpus_tools.records import Mention, Record
from corpus_tools.twins import GRAM, MASK, find_twins, masked


def record(marked: str, index: int = 0) -> Record:
    """'[Ann] runs' with mentions in brackets."""
    text, mentions = "", []
    for i, part in enumerate(marked.replace("]", "[").split("[")):
        if i % 2:
            mentions.append(Mention(len(text), len(text) + len(part), "x"))
        text += part
    return Record(text, tuple(mentions), meta={"source": "f", "index": index})


@pytest.mark.parametrize(
    "text, expected",
    [
        ("[Ann] met 12 Men , twice!", f"{MASK} met 0 men twice"),
        ("[Ann] ( [Bob] ) .", ""),
        ("我在[北京]工作。", f"我在 {MASK} 工作"),
        ("", ""),
    ],
)
def test_masked(text, expected):
    assert masked(record(text)) == expected


def test_nested_mentions_are_one_mask():
    assert (
        masked(
            Record(
                "New York is",
                (Mention(0, 8, "a"), Mention(4, 8, "b"), Mention(5, 11, "c")),
            )
        )
        == ""
    )


def test_equal_and_similar_texts():
    train = [
        record("[Ann] was born in [Rome] in 1960 ."),
        record("quite another sentence about [rain]", 1),
    ]
    test = [
        record("[Bob] was born in [Oslo] in 71"),
        record("[Bob] was also born in [Oslo] in 71", 1),
        record("[Eve] likes tea", 2),
        record("[A] [B]", 3),
    ]
    twins = find_twins(train, test)
    assert [(t.test_record, t.train_record) for t in twins] == [(1, 1)]
    assert twins[0].similarity == 1.0
    assert [t.test_record for t in find_twins(train, test, threshold=0.5)] == [1, 2]
    with pytest.raises(CorpusError, match="T008"):
        find_twins(train, test, threshold=0)


@pytest.mark.slow
def test_index_finds_what_brute_force_finds():
    rng = random.Random(0)
    words = [f"w{i}rd" for i in range(12)]

    def grams(text):
        return {text[i : i + GRAM] for i in range(max(1, len(text) - GRAM + 1))}

    def make(n):
        return [
            record(" ".join(rng.choices(words, k=rng.randint(1, 9))), i)
            for i in range(n)
        ]

    for threshold in (0.4, 0.7, 0.9):
        train, test = make(60), make(60)
        expected = {}
        for t in test:
            best = max(
                len(grams(masked(t)) & grams(masked(r)))
                / len(grams(masked(t)) | grams(masked(r)))
                for r in train
            )
            if best > threshold:
                expected[t.meta["index"] + 1] = best
        found = {
            t.test_record: t.similarity
            for t in find_twins(train, test, threshold=threshold)
        }
        assert found == pytest.approx(expected)


def test_command(tmp_path):
    def write(name, *sentences):
        data = [
            {"sentence": s, "entities": [{"name": n, "type": "x", "pos": [0, len(n)]}]}
            for s, n in sentences
        ]
        (tmp_path / name).write_text(json.dumps(data))
        return str(tmp_path / name)

    train = write("train.json", ("Ann runs far away", "Ann"))
    twin = write("twin.json", (" ", " "), ("Bob runs far away", "Bob"))
    other = write("other.json", ("Bob sleeps", "Bob"))
    for tests in (
        ["--test", other, twin],
        ["--test", other, "--test", twin],
        ["--test", twin, "--threshold", "0.8"],
    ):
        result = CliRunner().invoke(app, ["check-twins", train, *tests])
        assert result.exit_code == 1
        assert "twin.json:2 ~ " in result.output
    assert (
        CliRunner().invoke(app, ["check-twins", train, "--test", other]).exit_code == 0
    )
