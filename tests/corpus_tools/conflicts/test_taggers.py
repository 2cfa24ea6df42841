"""Taggers trained on one set and scored on all others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
import spacy
from spacy.scorer import Scorer
from spacy.training import Example
from typer.testing import CliRunner

from corpus_tools.b2nerd.conflicts import detect, heatmap, model
from corpus_tools.b2nerd.conflicts.evidence import (
    NOT_EXTRACTED,
    STRINGS,
    WRONG_CATEGORY,
)
from corpus_tools.b2nerd.conflicts.score import Score, score
from corpus_tools.b2nerd.conflicts.sets import DataSet
from corpus_tools.b2nerd.conflicts.similar import Names
from corpus_tools.cli import app
from corpus_tools.records import Mention, Record
from spacy_cascade.taxonomy import builtin

from .util import dataset, record


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


@pytest.mark.slow
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


@pytest.mark.slow
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
