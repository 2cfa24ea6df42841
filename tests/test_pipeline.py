from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline.annotate import fuse, set_ents
from spacy_cascade.pipeline.windows import PROCESSED, SKIPPED, SPLIT, cut, make_unit
from spacy_cascade.taxonomy import Taxonomy

from . import util

ALL = [*util.SENTENCES, *util.ODD, "", " ", "\n\t "]
NAMES = {"John": ("person",), "Paris": ("location", "city"), "France": ("location", "country"), "Paris Hilton": ("person",)}


@pytest.fixture(scope="module")
def both(lively: Path) -> Language:
    return util.cascade(lively, extractor={"rounds": 2})


def same(a: Doc, b: Doc) -> None:
    assert a.text == b.text
    assert util.entities(a) == util.entities(b)
    assert util.spans(a) == util.spans(b)
    assert util.scores(a) == pytest.approx(util.scores(b), rel=1e-3)
    assert a._.cascade_coverage == b._.cascade_coverage


# -- One by one and in a stream ----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2, 7, 32])
def test_pipe_equals_single_calls(both: Language, batch_size: int) -> None:
    single = [both(t) for t in ALL]
    assert sum(len(d.ents) for d in single) > 5, "the model must find something, or nothing is tested"
    for a, b in zip(single, both.pipe(ALL, batch_size=batch_size), strict=True):
        same(a, b)


def test_pipe_with_two_processes_equals_single_calls(both: Language) -> None:
    single = [both(t) for t in ALL]
    for a, b in zip(single, both.pipe(ALL, batch_size=4, n_process=2), strict=True):
        same(a, b)


def test_several_processes_print_nothing(base: Path, tmp_path: Path) -> None:
    """Tokenizers that have run warn in every forked process, unless they are told beforehand."""
    script = f"""
import os, spacy
nlp = spacy.blank("en")
lm = {{"@causal_lms": "spacy-cascade.HF.v1", "name": {str(base)!r}}}
nlp.add_pipe("cascade_extractor", config={{"model": lm, "adapter": None, "template": {{"@prompts": "spacy-cascade.CompactExtract.v1"}}}})
nlp("John lives in Paris.")
nlp.get_pipe("cascade_extractor").lm.tokenizer(["many", "texts"] * 50)
print(len(list(nlp.pipe(["Mary lives in Rome."] * 4, n_process=2, batch_size=2))), "TOKENIZERS_PARALLELISM" in os.environ)
"""
    env = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
    assert found.stdout.split() == ["4", "False"]
    assert "forked" not in found.stderr


def test_order_of_the_stream_does_not_matter(both: Language) -> None:
    for a, b in zip(both.pipe(ALL), reversed(list(both.pipe(ALL[::-1]))), strict=True):
        same(a, b)


def test_the_model_runs_on_whole_batches() -> None:
    nlp, lm = util.scripted(NAMES)
    texts = ["John saw Paris."] * 20
    list(nlp.pipe(texts, batch_size=20))
    together = lm.calls
    for t in texts:
        nlp(t)
    assert together * 5 < lm.calls - together


def test_a_generator_is_read_lazily() -> None:
    nlp, _ = util.scripted(NAMES)
    read = []

    def texts() -> Any:
        for i in range(1000):
            read.append(i)
            yield "John"

    next(iter(nlp.pipe(texts(), batch_size=5)))
    assert len(read) <= 50


@pytest.mark.parametrize("text", ["", " ", "\n", "\t \r\n", "\u3000"])
def test_nothing_but_white_space(both: Language, text: str) -> None:
    doc = both(text)
    assert doc.text == text
    assert len(doc.ents) == 0
    assert len(doc.spans["cascade"]) == 0


@pytest.mark.parametrize("text", [t for t in ALL if t.strip()])
def test_mentions_lie_on_tokens_and_coverage_spans_the_text(both: Language, text: str) -> None:
    doc = both(text)
    assert doc.text == text
    for s in doc.spans["cascade"]:
        assert s.text == text[s.start_char : s.end_char]
        assert s.text.strip() == s.text != ""
    covered = {i for a, b, _ in doc._.cascade_coverage for i in range(a, b)}
    assert {i for i, ch in enumerate(text) if not ch.isspace()} - covered <= {
        i for t in doc if t.is_space for i in range(t.idx, t.idx + len(t))
    }


@given(text=st.text(st.characters(blacklist_categories=["Cs"]), max_size=40))
def test_any_unicode_text(both: Language, text: str) -> None:
    doc = both(text)
    assert doc.text == text
    same(doc, next(iter(both.pipe([text]))))


def test_a_lone_surrogate_in_user_data_is_no_obstacle(both: Language) -> None:
    doc = both.make_doc("John saw Paris.")
    doc.user_data["note"] = "\ud800"
    assert both(doc).user_data["note"] == "\ud800"


# -- Offsets -----------------------------------------------------------------------------------------------------


def test_repeated_mentions_are_told_apart() -> None:
    """CascadeNER's infer.py found the first occurrence only."""
    nlp, _ = util.scripted(NAMES)
    doc = nlp("Paris, Paris and Paris.")
    assert util.entities(doc) == [(0, 5, "city"), (7, 12, "city"), (17, 22, "city")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("李小龙去东京和东京塔", {"李小龙": ("person",), "东京": ("location", "city")}),
        ("👩‍👩‍👧 John in e\u0301 Paris", NAMES),
        ("שלום עולם", {"עולם": ("location", "country")}),
        ("a\u200bb John\u200b Paris", {"Paris": ("location", "city")}),
        ("  John \n\n Paris  ", NAMES),
        ("##John## Paris", {"Paris": ("location", "city")}),
        ("서울에서 김철수는", {"서울": ("location", "city"), "김철수": ("person",)}),
    ],
)
def test_offsets_are_exact(text: str, names: Any) -> None:
    nlp, lm = util.scripted(names)
    doc = nlp(text)
    assert doc.text == text
    assert [(s, e) for s, e, _ in util.entities(doc)] == lm.mentions(text)
    assert [label for *_, label in util.entities(doc)] == [names[text[s:e]][-1] for s, e in lm.mentions(text)]


def test_case_of_the_mention_is_kept_at_every_level() -> None:
    """CascadeNER's infer.py lower-cased the mention at levels 2 and 3."""
    nlp, _ = util.scripted({"PARIS": ("location", "country"), "Paris": ("location", "city")})
    assert [e.label_ for e in nlp("PARIS and Paris").ents] == ["country", "city"]


# -- Windows -----------------------------------------------------------------------------------------------------


@given(
    words=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=30),
    limit=st.integers(1, 12),
    overlap=st.integers(0, 6),
)
def test_strides_own_each_token_once(words: list[tuple[int, bool]], limit: int, overlap: int) -> None:
    """Every token is owned by one window that holds it, or accounted for as skipped."""
    nlp = util.blank()
    doc = Doc(nlp.vocab, words=["x" * n for n, _ in words], spaces=[s for _, s in words])
    cost = lambda text: len(text.strip())  # noqa: E731
    windows, ledger = cut(doc, mode="stride", limit=limit, overlap=min(overlap, limit // 2), cost=cost)
    owned = Counter(i for w in windows for i in range(w.own_start, w.own_end))
    skipped = Counter(i for a, b, s in ledger if s == SKIPPED for i, t in enumerate(doc) if a <= t.idx < b)
    assert owned + skipped == Counter(range(len(doc)))
    for w in windows:
        assert w.start <= w.own_start <= w.own_end <= w.end
        assert sum(len(t.text) for t in doc[w.start : w.end]) <= limit
        assert w.unit == make_unit(doc, w.start, w.end)


@given(words=st.lists(st.integers(1, 12), min_size=1, max_size=30), limit=st.integers(1, 12), overlap=st.integers(0, 6))
@example(words=[2, 2, 2, 2, 10], limit=10, overlap=5)
def test_the_ledger_covers_every_token_once_in_order(words: list[int], limit: int, overlap: int) -> None:
    nlp = util.blank()
    doc = Doc(nlp.vocab, words=["x" * n for n in words])
    _, ledger = cut(doc, mode="stride", limit=limit, overlap=min(overlap, limit // 2), cost=lambda t: len(t.strip()))
    assert all(a < b for a, b, _ in ledger)
    assert ledger == sorted(ledger)
    counts = Counter(t.i for a, b, _ in ledger for t in doc if a <= t.idx < b)
    assert counts == Counter(range(len(doc)))


def test_strides_overlap_and_the_middle_is_the_border(nlp: Language) -> None:
    doc = nlp.make_doc(" ".join("abcdefghij"))
    windows, ledger = cut(doc, mode="stride", limit=6, overlap=2, cost=lambda t: 1)
    assert [(w.start, w.end, w.own_start, w.own_end) for w in windows] == [(0, 6, 0, 5), (4, 10, 5, 10)]
    assert ledger == [(0, 9, SPLIT), (10, 19, SPLIT)]


def test_sentences_are_windows(nlp: Language) -> None:
    doc = Doc(nlp.vocab, words=list("abcd"), sent_starts=[True, False, True, False])
    for mode in ("auto", "sents"):
        windows, _ledger = cut(doc, mode=mode, limit=10, overlap=2, cost=lambda t: 1)
        assert [(w.start, w.end, w.status) for w in windows] == [(0, 2, PROCESSED), (2, 4, PROCESSED)]
    windows, _ = cut(doc, mode="stride", limit=10, overlap=2, cost=lambda t: 1)
    assert [(w.start, w.end) for w in windows] == [(0, 4)]


def test_a_long_sentence_is_split_the_others_are_not(nlp: Language) -> None:
    doc = Doc(nlp.vocab, words=list("abcdefgh"), sent_starts=[True] + [False] * 5 + [True, False])
    windows, _ = cut(doc, mode="sents", limit=4, overlap=0, cost=lambda t: 1)
    assert [(w.start, w.end, w.status) for w in windows] == [(0, 4, SPLIT), (4, 6, SPLIT), (6, 8, PROCESSED)]


def test_a_token_over_the_limit_is_skipped_and_its_neighbours_are_not(nlp: Language) -> None:
    doc = nlp.make_doc("ab cccccccccc d")
    windows, ledger = cut(doc, mode="stride", limit=5, overlap=0, cost=lambda t: len(t.strip()))
    assert [w.unit.text for w in windows] == ["ab", "d"]
    assert ledger == [(0, 2, PROCESSED), (3, 13, SKIPPED), (14, 15, PROCESSED)]


def test_windows_do_not_begin_or_end_with_white_space(nlp: Language) -> None:
    doc = nlp.make_doc("\n a b \n\n\n c d \n")
    windows, _ = cut(doc, mode="stride", limit=2, overlap=0, cost=lambda t: 1)
    assert all(w.unit.text == w.unit.text.strip() != "" for w in windows)


def test_sentence_windows_in_a_pipeline() -> None:
    nlp, lm = util.scripted(NAMES)
    nlp.add_pipe("sentencizer", first=True)
    doc = nlp("John left. Paris slept! France won?")
    assert sorted(lm.seen) == ["France won?", "John left.", "Paris slept!"]  # batches go by length
    assert [e.text for e in doc.ents] == ["John", "Paris", "France"]
    assert [s for *_, s in doc._.cascade_coverage] == [PROCESSED] * 3


def test_strides_find_what_one_window_finds() -> None:
    text = " ".join(f"w{i} John x Paris" for i in range(40))
    whole, _ = util.scripted(NAMES, extractor={"max_tokens": 100_000, "overlap": 0})
    parts, lm = util.scripted(NAMES, extractor={"max_tokens": 60, "overlap": 20, "window": "stride"})
    assert util.entities(parts(text)) == util.entities(whole(text))
    assert len(lm.seen) > 5


def test_a_mention_at_a_border_is_found_once() -> None:
    for length in range(8, 40):
        nlp, lm = util.scripted({"aa bb": ("person",)}, extractor={"max_tokens": length, "overlap": length // 2, "window": "stride"})
        text = "aa bb cc " * 6
        doc = nlp(text)
        assert len(set(util.entities(doc))) == len(doc.ents)
        if length >= 16:  # the overlap holds the whole mention
            assert [(s, e) for s, e, _ in util.entities(doc)] == lm.mentions(text)


def test_one_very_long_token_is_skipped_and_said_so(lively: Path) -> None:
    nlp = util.cascade(lively)
    long = "x" * 100_000
    doc = nlp(f"John {long} Paris")
    assert doc._.cascade_coverage == [(0, 4, PROCESSED), (5, 100_005, SKIPPED), (100_006, 100_011, PROCESSED)]


def test_a_megabyte_of_text(tmp_path: Path) -> None:
    words = ["international", "organization", "representatives", "communication", "John", "Smith", "yesterday", "."]
    text = " ".join(words[i * 7 % 8] for i in range(1_000_000))[:999_990].strip()
    build_base(tmp_path / "b", [f" {w}" for w in words] * 50, vocab_size=400, hidden_size=32, layers=1, heads=2, intermediate_size=32)
    nlp = util.blank()
    model = util.model_config(tmp_path / "b", batch_tokens=8192)
    nlp.add_pipe("cascade_extractor", config={"model": model, "open_threshold": 0.9999})
    doc = nlp(text)
    unchanged = doc.text == text  # a diff of two megabytes would take minutes
    assert unchanged
    ledger = doc._.cascade_coverage
    assert ledger[0][0] == 0
    assert ledger[-1][1] == len(text)
    assert {s for *_, s in ledger} == {SPLIT}
    assert all(0 <= b[0] - a[1] <= 1 for a, b in itertools.pairwise(ledger))


# -- Candidates, fusion, entities --------------------------------------------------------------------------------


def test_fuse_prefers_longer_then_likelier_then_earlier() -> None:
    assert fuse([(0, 2, 0.9), (1, 4, 0.1), (5, 6, 0.2), (5, 6, 0.3), (4, 5, 0.0)]) == [1, 4, 3]
    assert fuse([]) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.floats(0, 1)), max_size=12))
def test_fused_spans_never_overlap_and_nothing_free_is_lost(items: list[tuple[int, int, float]]) -> None:
    spans = [(s, s + n, p) for s, n, p in items]
    kept = [spans[i] for i in fuse(spans)]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(kept))
    assert all(any(s < e2 and s2 < e for s2, e2, _ in kept) for s, e, _ in spans)


def test_nested_candidates_stay_in_the_spans(lively: Path) -> None:
    nlp = util.cascade(lively, extractor={"rounds": 6, "temperature": 3.0})
    docs = list(nlp.pipe(util.SENTENCES))
    overlapping = 0
    for doc in docs:
        group = list(doc.spans["cascade"])
        assert group == sorted(group, key=lambda s: (s.start, s.end))
        assert len({(s.start, s.end) for s in group}) == len(group)
        overlapping += sum(a.end > b.start for a, b in itertools.pairwise(group))
        assert {(e.start, e.end) for e in doc.ents} <= {(s.start, s.end) for s in group}
        attrs = doc.spans["cascade"].attrs
        assert {len(attrs[k]) for k in ("scores", "paths", "path_scores", "step_scores")} == {len(group)}
    assert overlapping


def test_three_rounds_give_a_superset_of_one(lively: Path) -> None:
    one, three = (util.cascade(lively, extractor={"rounds": n, "temperature": 2.0}) for n in (1, 3))
    more = 0
    for t in util.SENTENCES:
        docs = one(t), three(t)
        a, b = ({(s.start, s.end) for s in doc.spans["cascade"]} for doc in docs)
        assert a <= b
        more += len(b - a)
    assert more


def test_a_lower_threshold_opens_more(lively: Path) -> None:
    counts = []
    for threshold in (0.999999, 0.9, 0.5, 0.1, 0.000001):
        nlp = util.cascade(lively, extractor={"open_threshold": threshold})
        counts.append(sum(len(d.spans["cascade"]) for d in nlp.pipe(util.SENTENCES)))
    assert counts[0] < counts[2] < counts[4]


def test_extractor_alone_labels_mentions() -> None:
    nlp, _ = util.scripted(NAMES, stages=["extractor"])
    doc = nlp("John saw Paris.")
    assert util.entities(doc) == [(0, 4, "MENTION"), (9, 14, "MENTION")]
    assert [s.label_ for s in doc.spans["cascade"]] == ["MENTION"] * 2


def test_annotate_ents_off() -> None:
    nlp, _ = util.scripted(NAMES, stages=["extractor"], extractor={"annotate_ents": False})
    doc = nlp("John saw Paris.")
    assert not doc.ents
    assert len(doc.spans["cascade"]) == 2


def _with_ruler(overwrite: bool) -> Language:
    nlp, _ = util.scripted(NAMES, extractor={"overwrite_ents": overwrite}, classifier={"overwrite_ents": overwrite})
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "RULE", "pattern": "saw Paris"}, {"label": "RULE", "pattern": "today"}])  # type: ignore[attr-defined]
    return nlp


def test_entities_of_earlier_components_stay() -> None:
    """gliner-spacy erased them."""
    doc = _with_ruler(False)("John saw Paris in France today")
    assert [(e.text, e.label_) for e in doc.ents] == [("John", "person"), ("saw Paris", "RULE"), ("France", "country"), ("today", "RULE")]


def test_overwrite_ents_reaches_the_component() -> None:
    """SpanMarker's `overwrite_entities` never did."""
    doc = _with_ruler(True)("John saw Paris in France today")
    assert [(e.text, e.label_) for e in doc.ents] == [("John", "person"), ("Paris", "city"), ("France", "country")]


@pytest.mark.parametrize("overwrite", [False, True])
def test_set_ents(nlp: Language, overwrite: bool) -> None:
    doc = nlp.make_doc("a b c d")
    doc.set_ents([Span(doc, 0, 2, label="OLD"), Span(doc, 3, 4, label="MENTION")])
    set_ents(doc, [Span(doc, 1, 2, label="NEW"), Span(doc, 2, 3, label="NEW")], overwrite=overwrite)
    expected = [(1, 2, "NEW"), (2, 3, "NEW")] if overwrite else [(0, 2, "OLD"), (2, 3, "NEW")]
    assert [(e.start, e.end, e.label_) for e in doc.ents] == expected


def test_drafts_from_entities_change_nothing_but_the_passes() -> None:
    counts, found = [], []
    for kind in ("Cues", "Ents"):
        drafter = {"@drafters": f"spacy-cascade.{kind}Drafter.v1"}
        nlp, lm = util.scripted(NAMES, stages=["extractor"], extractor={"drafter": drafter, "overwrite_ents": True})
        ruler = nlp.add_pipe("entity_ruler", first=True)
        ruler.add_patterns([{"label": "X", "pattern": n} for n in NAMES])  # type: ignore[attr-defined]
        found.append(util.entities(nlp("john met John and Paris Hilton in Paris, France")))
        counts.append(lm.calls)
    assert found[0] == found[1] != []
    assert counts[1] == 1 < counts[0]


def test_wrong_drafts_change_nothing(lively: Path) -> None:
    found = []
    for kind in ("Cues", "Ents", "Tagger"):
        drafter = {"@drafters": f"spacy-cascade.{kind}Drafter.v1"}
        nlp = util.cascade(lively, extractor={"drafter": drafter, "overwrite_ents": True}, classifier={"overwrite_ents": True})
        ruler = nlp.add_pipe("entity_ruler", first=True)
        ruler.add_patterns([{"label": "X", "pattern": w} for t in util.SENTENCES for w in t.split()[:2]])  # type: ignore[attr-defined]
        found.append([util.spans(d) for d in nlp.pipe(util.SENTENCES)])
    assert found[0] == found[1] == found[2]


# -- Types -------------------------------------------------------------------------------------------------------


def test_paths_scores_and_labels_are_read_from_spans() -> None:
    nlp, _ = util.scripted(NAMES)
    doc = nlp("John saw Paris.")
    john, paris = doc.ents
    assert (john.label_, john._.cascade_path) == ("person", "person")
    assert (paris.label_, paris._.cascade_path) == ("city", "location > city")
    group = doc.spans["cascade"]
    for span, p, q in zip(group, group.attrs["scores"], group.attrs["path_scores"], strict=True):
        assert span._.cascade_score == pytest.approx(p * q)
        assert 0 < span._.cascade_score < 1
    assert doc[1:2]._.cascade_path == ""
    assert doc[1:2]._.cascade_score is None


def test_attributes_of_a_doc_that_the_cascade_never_saw(nlp: Language) -> None:
    doc = nlp.make_doc("John")
    assert doc[0:1]._.cascade_path == ""
    assert doc[0:1]._.cascade_score is None
    assert doc._.cascade_coverage == []
    assert doc._.cascade_labels is None


def test_paths_and_scores_are_found_after_retokenization() -> None:
    """merge_entities changes token indices, and those of span groups stay as they were."""
    nlp, _ = util.scripted({"New York": ("location", "city"), "Ann Lee": ("person",)})
    nlp.add_pipe("merge_entities")
    doc = nlp("Ann Lee left New York")
    assert [(t.text, t.ent_type_) for t in doc] == [("Ann Lee", "person"), ("left", ""), ("New York", "city")]
    assert [e._.cascade_path for e in doc.ents] == ["person", "location > city"]
    assert all(e._.cascade_score > 0.9 for e in doc.ents)


def test_paths_and_scores_as_json() -> None:
    nlp, _ = util.scripted({"York": ("location", "city")})
    doc = nlp("To York")
    found = json.loads(json.dumps(doc.to_json(underscore=["cascade_entities"])))["_"]["cascade_entities"]
    assert found == [{"start": 3, "end": 7, "label": "city", "path": "location > city", "score": doc.ents[0]._.cascade_score}]
    assert nlp.make_doc("To York")._.cascade_entities == []


def test_label_sets_of_tuples_reach_other_processes() -> None:
    nlp, _ = util.scripted({"Ann": ("person",)})
    pairs = [("Ann left", {"cascade_labels": ["person", "place"], "id": 1}), ("Ann came", {"id": 2})]
    one = [(util.entities(d), c) for d, c in nlp.pipe(pairs, as_tuples=True)]
    two = [(util.entities(d), c) for d, c in nlp.pipe(pairs, as_tuples=True, n_process=2, batch_size=1)]
    assert one == two
    assert [c["id"] for _, c in two] == [1, 2]


def test_results_survive_a_docbin(both: Language) -> None:
    docs = list(both.pipe(util.SENTENCES))
    data = DocBin(docs=docs, store_user_data=True).to_bytes()
    for a, b in zip(docs, DocBin().from_bytes(data).get_docs(both.vocab), strict=True):
        same(a, b)
        assert [s._.cascade_path for s in a.ents] == [s._.cascade_path for s in b.ents]


def test_set_taxonomy_at_run_time() -> None:
    nlp, _ = util.scripted({"John": ("agent", "human"), "Paris": ("place",)})
    nlp.get_pipe("cascade_classifier").set_taxonomy({"agent": ["human", "robot"], "place": None})  # type: ignore[attr-defined]
    doc = nlp("John saw Paris.")
    assert [e._.cascade_path for e in doc.ents] == ["agent > human", "place"]
    assert nlp.get_pipe("cascade_classifier").labels == ("agent", "human", "robot", "place")  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [["agent > human", "place"], Taxonomy.from_labels(["agent > human", "place"])])
def test_label_set_of_one_doc(value: Any) -> None:
    nlp, _ = util.scripted({"John": ("agent", "human"), "Paris": ("place",)})
    doc, other = nlp.make_doc("John saw Paris."), nlp.make_doc("John saw Paris.")
    doc._.cascade_labels = value
    out, plain = nlp.pipe([doc, other])
    assert [e._.cascade_path for e in out.ents] == ["agent > human", "place"]
    assert all(e._.cascade_path in util.LABELS for e in plain.ents)


def test_label_sets_through_pipe_with_tuples() -> None:
    nlp, _ = util.scripted({"John": ("agent", "human")})
    stream = []
    for i, labels in enumerate((["agent > human", "x"], None, ["thing", "agent > human"])):
        doc = nlp.make_doc("John")
        if labels:
            doc._.cascade_labels = labels
        stream.append((doc, i))
    done = list(nlp.pipe(stream, as_tuples=True, batch_size=2))
    assert [i for _, i in done] == [0, 1, 2]
    assert [bool(d.ents and d.ents[0]._.cascade_path == "agent > human") for d, _ in done] == [True, False, True]


def test_label_set_of_one_doc_with_two_processes() -> None:
    nlp, _ = util.scripted({"John": ("agent", "human")})
    docs = [nlp.make_doc("John") for _ in range(3)]
    for doc in docs:
        doc._.cascade_labels = ["agent > human", "x"]
    assert [d.ents[0]._.cascade_path for d in nlp.pipe(docs, n_process=2, batch_size=1)] == ["agent > human"] * 3


def test_a_taxonomy_as_label_set_survives_to_bytes(nlp: Language) -> None:
    """Docs travel as bytes between processes and into DocBins."""
    doc = nlp.make_doc("John")
    doc._.cascade_labels = Taxonomy(["a", "b"])
    back = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert Taxonomy.from_object(back._.cascade_labels) == Taxonomy(["a", "b"])


def test_a_changed_label_set_gives_changed_answers() -> None:
    """spacy-llm's cache gave the old ones."""
    nlp, _ = util.scripted({"John": ("person",)})
    before = nlp("John").ents[0].label_
    nlp.get_pipe("cascade_classifier").set_taxonomy(["robot"])  # type: ignore[attr-defined]
    assert (before, nlp("John").ents[0].label_) == ("person", "robot")


def test_texts_with_the_same_words_in_another_order_are_different() -> None:
    """spacy-llm's cache keyed texts by the sum of their token ids."""
    nlp, _ = util.scripted(NAMES)
    a, b = nlp.pipe(["John saw Paris", "Paris saw John"])
    assert [e.label_ for e in a.ents] == ["person", "city"]
    assert [e.label_ for e in b.ents] == ["city", "person"]


def test_unknown_mentions_are_no_entities() -> None:
    nlp, _ = util.scripted({"John": ("person",), "Foo": ("unknown",)}, classifier={"unknown": True})
    doc = nlp("John likes Foo.")
    assert util.entities(doc) == [(0, 4, "person")]
    assert util.spans(doc)[1] == (11, 14, "unknown", "")


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_min_score_backs_off_to_the_coarse_type(strategy: str) -> None:
    """The model knows `location`, but not which."""
    nlp, _ = util.scripted({"Paris": ("location",)}, classifier={"min_score": 0.7, "strategy": strategy})
    doc = nlp("Paris")
    assert [(e.label_, e._.cascade_path) for e in doc.ents] == [("location", "location")]


def test_a_mention_below_min_score_at_the_coarse_level_has_no_type() -> None:
    nlp, _ = util.scripted({"Paris": ("location", "city")}, margin=0.1, classifier={"min_score": 0.99})
    nlp.get_pipe("cascade_extractor").open_threshold = 0.01  # type: ignore[attr-defined]
    doc = nlp("Paris")
    assert len(doc.spans["cascade"]) >= 1
    assert not doc.ents


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_all_strategies_type_what_the_model_is_sure_of(strategy: str) -> None:
    nlp, _ = util.scripted(NAMES, classifier={"strategy": strategy})
    assert [e._.cascade_path for e in nlp("John saw Paris in France").ents] == ["person", "location > city", "location > country"]


# -- Refining the entities of another component --------------------------------------------------------------------


def _refine(**classifier: Any) -> Language:
    nlp, _ = util.scripted(NAMES, stages=["classifier"], classifier={"source": "ents", **classifier})
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns(  # type: ignore[attr-defined]
        [{"label": "LOC", "pattern": "Paris", "id": "paris"}, {"label": "PER", "pattern": "John"}, {"label": "MISC", "pattern": "Foo"}]
    )
    return nlp


def test_refine_entities_of_an_entity_ruler() -> None:
    doc = _refine()("John saw Paris in France")
    assert [(e.text, e.label_, e._.cascade_path) for e in doc.ents] == [("John", "person", "person"), ("Paris", "city", "location > city")]


def test_refining_keeps_the_ids_that_the_other_component_set() -> None:
    doc = _refine()("Paris")
    assert [(e.label_, e.ent_id_) for e in doc.ents] == [("city", "paris")]


def test_refining_keeps_the_old_label_of_what_stays_unknown() -> None:
    nlp = _refine(min_score=0.6)
    doc = nlp("Foo saw Paris")
    assert [(e.text, e.label_) for e in doc.ents] == [("Foo", "MISC"), ("Paris", "city")]


def test_refining_nothing(nlp: Language) -> None:
    doc = _refine()("nothing here")
    assert not doc.ents
    assert len(doc.spans["cascade"]) == 0


# -- Failures ----------------------------------------------------------------------------------------------------


def test_one_failing_doc_does_not_take_the_batch_down() -> None:
    nlp, _ = util.scripted(NAMES, fail_on="BOOM")
    failed: list[tuple[str, list[str], str]] = []
    nlp.set_error_handler(lambda name, proc, docs, err: failed.append((name, [d.text for d in docs], str(err))))
    texts = ["John", "BOOM John", "Paris", "France"]
    docs = list(nlp.pipe(texts, batch_size=4))
    assert [d.text for d in docs] == ["John", "Paris", "France"]
    assert [util.entities(d) for d in docs] == [[(0, 4, "person")], [(0, 5, "city")], [(0, 6, "country")]]
    assert [(n, t) for n, t, _ in failed] == [("cascade_extractor", ["BOOM John"])]
    assert "scripted failure" in failed[0][2]


def test_without_a_handler_the_error_is_raised() -> None:
    nlp, _ = util.scripted(NAMES, fail_on="BOOM")
    with pytest.raises(RuntimeError, match="scripted failure"):
        nlp("BOOM")
    with pytest.raises(RuntimeError, match="scripted failure"):
        list(nlp.pipe(["John", "BOOM"]))


def test_a_failed_doc_says_so() -> None:
    nlp, _ = util.scripted(NAMES, stages=["extractor"], fail_on="BOOM")
    nlp.set_error_handler(lambda *args: None)
    doc = nlp.get_pipe("cascade_extractor")(nlp.make_doc("BOOM John"))
    assert doc._.cascade_coverage == [(0, 9, "failed")]
    assert len(doc.spans["cascade"]) == 0


def test_a_bad_label_set_fails_its_doc_only() -> None:
    nlp, _ = util.scripted(NAMES)
    failed = []
    nlp.set_error_handler(lambda name, proc, docs, err: failed.append(getattr(err, "code", "")))
    docs = [nlp.make_doc("John") for _ in range(3)]
    docs[1]._.cascade_labels = 7
    assert len(list(nlp.pipe(docs, batch_size=3))) == 2
    assert failed == ["C024"]


# -- Living in a pipeline ----------------------------------------------------------------------------------------


def test_both_stages_share_one_model(both: Language) -> None:
    assert both.get_pipe("cascade_extractor").lm is both.get_pipe("cascade_classifier").lm  # type: ignore[attr-defined]


def test_pipe_analysis_finds_no_problem(both: Language) -> None:
    problems = both.analyze_pipes()["problems"]
    assert not any(problems.values())


def test_select_pipes(both: Language) -> None:
    with both.select_pipes(disable="cascade_classifier"):
        assert {e.label_ for d in both.pipe(util.SENTENCES) for e in d.ents} == {"MENTION"}


def test_two_extractors_may_have_other_names(lively: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", name="first", config={"model": util.model_config(lively)})
    shared = {"@causal_lms": "spacy-cascade.SharedLM.v1", "component": "first"}
    nlp.add_pipe("cascade_extractor", name="second", config={"model": shared, "rounds": 3, "overwrite_ents": True})
    assert nlp(util.SENTENCES[0]).text == util.SENTENCES[0]


def test_gold_and_predictions_keep_apart(both: Language) -> None:
    eg = util.example(both, *util.GOLD[0])
    before = [(s.start, s.end, s.label_) for s in eg.reference.spans["gold"]]
    both.evaluate([eg])
    assert [(s.start, s.end, s.label_) for s in eg.reference.spans["gold"]] == before
    assert "cascade" not in eg.reference.spans


def test_evaluate_reports_the_cascade_scores(both: Language) -> None:
    scores = both.evaluate(util.examples(both))
    assert {"cascade_extraction_f", "cascade_coarse_f", "cascade_fine_f", "cascade_hierarchical_f", "cascade_accuracy"} <= set(scores)
