"""Synthetic everyday texts: their gold, their lists of labels, and mixing them in."""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from benchmarks.everyday_texts.data import LABELS, NAMES, TEMPLATES
from benchmarks.everyday_texts.gold import choose_labels, concept_of, is_clear
from benchmarks.everyday_texts.mixing import mixed
from benchmarks.everyday_texts.values import MAKERS
from benchmarks.everyday_texts.writing import SLOT, typo, with_article
from benchmarks.suites.corpora import everyday_texts, smollm2_texts
from tests import util

ROOT = Path(__file__).parents[2]
N = 400


@pytest.fixture(scope="module")
def packages() -> None:
    for name in everyday_texts.PACKAGES:
        pytest.importorskip(name, reason=f"needs the package {name}")


@pytest.fixture(scope="module")
def written(packages: None, tmp_path_factory: Any) -> Path:
    path: Path = tmp_path_factory.mktemp("everyday") / "everyday.spacy"
    everyday_texts.run(path, n=N)
    return path


@pytest.fixture(scope="module")
def docs(written: Path, nlp: Language) -> list[Doc]:
    stored = DocBin().from_disk(written)
    return list(stored.get_docs(nlp.vocab))


def templates() -> Iterator[str]:
    for group in TEMPLATES.values():
        yield from group


# -- Texts


@pytest.mark.slow
def test_every_gold_mention_is_whole_tokens_and_a_name(docs: list[Doc]) -> None:
    assert len(docs) == N
    for doc in docs:
        assert doc.ents or not doc.spans["gold"]
        gold = [(span.start, span.end) for span in doc.spans["gold"]]
        assert [(ent.start, ent.end) for ent in doc.ents] == gold
        for ent in doc.ents:
            assert doc.char_span(ent.start_char, ent.end_char) is not None
            assert ent.text[0].isalnum()
            assert ent.text[-1].isalnum()
            assert "\n" not in ent.text


@pytest.mark.slow
def test_no_text_has_a_label_outside_of_its_list(docs: list[Doc]) -> None:
    for doc in docs:
        labels = doc.user_data["cascade_labels"]
        assert len(set(labels)) == len(labels) > 0
        assert {ent.label_ for ent in doc.ents} <= set(labels)


@pytest.mark.slow
def test_lists_of_labels_vary(docs: list[Doc]) -> None:
    lists = {doc.user_data["cascade_labels"] for doc in docs}
    assert len(lists) > N / 2


@pytest.mark.slow
def test_about_a_fifth_mentions_nothing(run_suite: Any, written: Path) -> None:
    again = written.parent / "again.spacy"
    found = run_suite(
        "corpora.everyday_texts", "--output-corpus", again, "--n", N, "--seed", 0
    )
    assert found["texts"] == N
    assert 0.14 * N < found["without_mention"] < 0.27 * N
    assert found["without_mention"] <= found["without_gold"] < 0.33 * N
    assert again.read_bytes() == written.read_bytes()


@pytest.mark.slow
def test_another_seed_writes_other_texts(written: Path, docs: list[Doc]) -> None:
    other = written.parent / "other.spacy"
    everyday_texts.run(other, n=20, seed=1)
    assert other.read_bytes() != written.read_bytes()


@pytest.mark.slow
def test_no_text_is_one_of_the_benchmark(docs: list[Doc]) -> None:
    path = ROOT / "assets" / "everyday" / "en.json"
    measured = {record["sentence"].lower() for record in json.loads(path.read_text())}
    assert measured.isdisjoint(doc.text.lower() for doc in docs)


@pytest.mark.slow
def test_no_text_has_the_marks_of_the_prompts(docs: list[Doc]) -> None:
    assert not any("##" in doc.text for doc in docs)


def test_no_template_has_six_words_in_a_row_of_the_benchmark() -> None:
    path = ROOT / "assets" / "everyday" / "en.json"
    measured = set()
    for record in json.loads(path.read_text("utf8")):
        measured |= runs_of_words(record["sentence"])
    for template in templates():
        shared = runs_of_words(template) & measured
        assert not shared, template


def runs_of_words(text: str, n: int = 6) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


# -- What they are made from


def test_every_slot_can_be_filled_and_every_type_has_labels() -> None:
    invented = {"person", "first", "last", "coined", "street", "address"}
    known = {*MAKERS, *NAMES["fillers"], *LABELS["groups"], *invented}
    for template in templates():
        slots = {match[1] for match in SLOT.finditer(template)}
        assert slots <= known, template
        for slot in slots - set(MAKERS) - set(LABELS["groups"]):
            type_ = LABELS["type_of"].get(slot, slot)
            assert set(LABELS["chains"][type_]) <= set(LABELS["names"])
        assert "{" not in SLOT.sub("", template), template


def test_the_finest_concept_counts() -> None:
    assert concept_of("city", ["location", "gpe"]) == "gpe"
    assert concept_of("city", ["location", "city", "gpe"]) == "city"
    assert concept_of("city", ["person"]) is None


def test_lists_that_annotators_would_not_agree_on_are_not_clear() -> None:
    assert is_clear({"drug"}, ["drug", "product"])
    assert not is_clear({"drug"}, ["product"])
    assert is_clear({"museum"}, ["organization", "location"])
    assert not is_clear({"museum"}, ["location"])
    assert not is_clear({"brand"}, ["brand", "company"])


@pytest.mark.parametrize("plain", [True, False])
def test_lists_are_clear(plain: bool) -> None:
    rng = random.Random(0)
    for type_ in LABELS["chains"]:
        labels = choose_labels({type_, "person"}, plain, rng)
        assert is_clear({type_, "person"}, list(labels))


def test_articles_and_slips() -> None:
    assert with_article("She is a ", "Austrian") == "She is an "
    assert with_article("She is a ", "European") == "She is a "
    assert with_article("in ", "Austria") == "in "
    assert typo("a b c", random.Random(0)) == "a b c"
    slipped = {typo("window", random.Random(seed)) for seed in range(30)}
    assert {"widnow", "widow", "winndow"} & slipped
    assert "window" not in slipped


def test_a_missing_package_is_named_with_its_command(
    monkeypatch: Any, tmp_path: Path
) -> None:
    def find(name: str) -> Any:
        return None if name == "faker" else importlib.util.find_spec(name)

    monkeypatch.setattr(everyday_texts, "find_spec", find)
    with pytest.raises(SystemExit, match=r'faker.* pip install .*"\.\[everyday\]"'):
        everyday_texts.run(tmp_path / "x.spacy")
    assert not list(tmp_path.iterdir())


# -- Mixing


@pytest.mark.parametrize(
    ("others", "everyday", "expected"),
    [(90, 100, (90, 30)), (90, 20, (60, 20)), (90, 30, (90, 30)), (1, 1, (1, 1))],
)
def test_mixing_keeps_both_parts(
    others: int, everyday: int, expected: tuple[int, int]
) -> None:
    a = [f"other {i}" for i in range(others)]
    b = [f"everyday {i}" for i in range(everyday)]
    out = mixed(a, b, 0.25, random.Random(0))
    n_others = len(set(out) & set(a))
    n_everyday = len(set(out) & set(b))
    assert (n_others, n_everyday) == expected
    assert len(out) == sum(expected)
    assert out == mixed(a, b, 0.25, random.Random(0))


@pytest.mark.parametrize("share", [0, 1, -0.1, 25])
def test_a_share_is_between_0_and_1(share: float) -> None:
    with pytest.raises(SystemExit, match="not between 0 and 1"):
        mixed(["a"], ["b"], share, random.Random(0))


def test_without_texts_there_is_nothing_to_mix() -> None:
    with pytest.raises(SystemExit, match="0 everyday texts and 1 others"):
        mixed(["a"], [], 0.25, random.Random(0))


def test_the_training_texts_have_their_share_of_everyday_ones(
    run_suite: Any, monkeypatch: Any, tmp_path: Path, nlp: Language
) -> None:
    pairs = [util.example(nlp, text, mentions) for text, mentions in util.GOLD]
    plain = [pair.reference for pair in pairs]
    everyday = [nlp.make_doc(f"Synthetic text {i} .") for i in range(40)]
    for doc in everyday:
        doc.user_data["cascade_labels"] = ("person",)
    file = tmp_path / "everyday.spacy"
    DocBin(store_user_data=True, docs=everyday).to_disk(file)
    monkeypatch.setattr(smollm2_texts, "split_texts", lambda *_: list(plain))
    folders = []
    for name in ("raw", "standard", "geic", "b2nerd"):
        folders += [f"--{name}", tmp_path]

    def texts(folder: str, *more: Any) -> dict[str, list[Doc]]:
        out = tmp_path / folder
        run_suite("corpora.smollm2_texts", *folders, "--output", out, *more)
        found = {}
        for split in ("train", "dev"):
            stored = DocBin().from_disk(out / f"{split}.spacy")
            found[split] = list(stored.get_docs(nlp.vocab))
        return found

    options = ["--everyday", file, "--everyday-share", 0.5]
    with_them, without = texts("with", *options), texts("without")
    own = {doc.text for doc in everyday}
    found = [doc for doc in with_them["train"] if doc.text in own]
    assert len(found) == len(plain)
    assert {doc.user_data["cascade_labels"] for doc in found} == {("person",)}
    assert {doc.text for doc in with_them["train"]} > {doc.text for doc in plain}
    assert own.isdisjoint(doc.text for doc in with_them["dev"])
    assert own.isdisjoint(doc.text for doc in without["train"])
    again = texts("again", *options)["train"]
    assert [d.text for d in again] == [d.text for d in with_them["train"]]
