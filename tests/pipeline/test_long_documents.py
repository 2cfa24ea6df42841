"""Time in proportion to the text and memory that does not grow with it: what is
quadratic shows only in long documents.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_cascade.doc.annotations import fuse, set_candidates
from spacy_cascade.pipeline import classifier, extractor
from spacy_cascade.pipeline.extractor import _known
from spacy_cascade.pipeline.typer import with_context
from spacy_cascade.pipeline.windows import cut, make_unit
from tests import util

_SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 6), st.sampled_from([0.25, 0.5, 1.0])),
    max_size=25,
)
NAMES = {"Ann Lee": ("person",), "Rome": ("location", "city")}


@given(_SPANS)
def test_fusion_equals_its_definition(found: list[tuple[int, int, float]]) -> None:
    items = [(start, start + length, score) for start, length, score in found]
    kept: list[int] = []
    for i in sorted(
        range(len(items)),
        key=lambda i: (items[i][0] - items[i][1], -items[i][2], items[i][0]),
    ):
        if all(items[i][1] <= items[k][0] or items[k][1] <= items[i][0] for k in kept):
            kept.append(i)
    assert fuse(items) == sorted(kept, key=lambda i: items[i][0])


@pytest.fixture(scope="module")
def doc(nlp: Language) -> Doc:
    return nlp.make_doc("  ".join("abcdefghijklmnopqrstuvwxyz" * 2))


@given(_SPANS, st.integers(3, 12), st.integers(0, 5))
def test_contexts_equal_their_definition(
    doc: Doc, found: list[tuple[int, int, float]], limit: int, overlap: int
) -> None:
    windows, _ = cut(
        doc,
        mode="stride",
        limit=limit,
        overlap=min(overlap, limit // 2),
        cost=lambda text: 1,
    )
    words = [t.i for t in doc if not t.is_space]
    spans = [
        (words[start], words[start + length - 1] + 1, p) for start, length, p in found
    ]
    flat = [spans[i][:2] for i in fuse(spans)]
    for start, end, _ in spans:
        inside = [w for w in windows if w.start <= start and end <= w.end]
        best = [w for w in windows if w.owns(start, end)] or inside
        first, last = (
            (best[0].start, best[0].end)
            if best
            else (max(0, start - 10), min(len(doc), end + 10))
        )
        asked, at = with_context(doc, windows, start, end, flat)
        assert at == first
        assert asked.unit == make_unit(doc, first, last)
        assert list(asked.before) == [
            (s - first, e - first) for s, e in flat if first <= s and e <= start
        ]


@given(_SPANS, st.integers(3, 12))
def test_known_entities_of_a_window(
    doc: Doc, found: list[tuple[int, int, float]], limit: int
) -> None:
    items = [(start, start + length, p) for start, length, p in found]
    ents = [Span(doc, *items[i][:2], label="X") for i in fuse(items)]
    for w in cut(
        doc, mode="stride", limit=limit, overlap=limit // 3, cost=lambda text: 1
    )[0]:
        inside = [
            (e.start - w.start, e.end - w.start)
            for e in ents
            if e.start >= w.start and e.end <= w.end
        ]
        assert _known(ents, w) == inside


def test_attributes_are_found_in_any_order(nlp: Language) -> None:
    doc = nlp.make_doc("Ann Lee left Rome and Oslo")
    spans = [doc[3:4], doc[0:2], doc[5:6], doc[0:1]]
    for some in (spans, sorted(spans)):
        set_candidates(doc, "cascade", some, paths=[s.text for s in some])
        assert [s._.cascade_path for s in spans] == [s.text for s in spans]
        assert doc[1:2]._.cascade_path == ""


def _long(names: Iterable[str], n: int) -> str:
    return " ".join(
        f"Then {name} came in number {i} ." for i, name in enumerate([*names] * n)
    )


@pytest.mark.parametrize("rounds", [1, 3])
def test_parts_change_nothing(monkeypatch: Any, rounds: int) -> None:
    found = []
    for jobs, mentions in ((512, 256), (4, 3), (1, 1)):
        monkeypatch.setattr(extractor, "_JOBS", jobs)
        monkeypatch.setattr(classifier, "_MENTIONS", mentions)
        pipeline, _ = util.scripted(
            NAMES, extractor={"rounds": rounds, "max_tokens": 60, "overlap": 20}
        )
        docs = list(
            pipeline.pipe(
                [_long(NAMES, 6), "", _long(["Rome"], 3), "Ann Lee"], batch_size=3
            )
        )
        found.append([(util.spans(d), util.scores(d)) for d in docs])
    assert found[1:] == found[:1] * 2
    assert [len(spans) for spans, _ in found[0]] == [12, 0, 3, 1]


def test_windows_of_a_long_document_are_not_in_memory_together(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(extractor, "_JOBS", 4)
    pipeline, lm = util.scripted(
        NAMES, extractor={"max_tokens": 60, "overlap": 20}, stages=("extractor",)
    )
    pipe: Any = pipeline.get_pipe("cascade_extractor")
    made: list[Any] = []
    most = 0
    make, run = pipe.template.job, lm.candidate_logits

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(template, name)

        def job(self, *args: Any) -> Any:
            job = make(*args)
            made.append(weakref.ref(job))
            return job

    def counted(queries: Any) -> Any:
        nonlocal most
        most = max(most, sum(ref() is not None for ref in made))
        return run(queries)

    template, pipe.template = pipe.template, Watched()
    monkeypatch.setattr(lm, "candidate_logits", counted)
    pipeline(_long(NAMES, 20))
    assert len(made) > 20
    assert (
        4 <= most <= 8
    )  # those that are decoded, and those before them that are being read


def test_mentions_of_one_text_are_typed_together(monkeypatch: Any) -> None:
    monkeypatch.setattr(classifier, "_MENTIONS", 1)
    pipeline, lm = util.scripted(NAMES, stages=("classifier",))
    doc = pipeline.make_doc("Ann Lee , Rome , Rome , Ann Lee , Rome .")
    set_candidates(doc, "cascade", [doc[0:2], doc[3:4], doc[5:6], doc[7:9], doc[10:11]])
    pipeline.get_pipe("cascade_classifier")(doc)
    assert [e.label_ for e in doc.ents] == ["person", "city", "city", "person", "city"]
    assert lm.calls == 2  # one for each level


def test_fifty_thousand_mentions_are_fused_at_once() -> None:
    items = [(2 * i, 2 * i + 1 + i % 3, 1.0) for i in range(50_000)]
    start = time.process_time()
    assert len(fuse(items)) >= 16_000
    # a second at most; each against each would be minutes
    assert time.process_time() - start < 10
