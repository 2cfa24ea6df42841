"""Drafts change the number of passes and nothing else; the tagger learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spacy.language import Language

from spacy_cascade.decoding.automaton import Choice, Guess
from spacy_cascade.decoding.copy import decode
from spacy_cascade.decoding.drafters import TaggerDrafter, tagger_drafter
from spacy_cascade.decoding.tagger import Tagger, spans_of_tags, tags_of_spans
from spacy_cascade.errors import CascadeError
from spacy_cascade.types import Unit
from tests import util

NAMES = {
    "John": ("person",),
    "Paris": ("location", "city"),
    "France": ("location", "country"),
    "New York Times": ("x",),
}


def _gold(
    nlp: Language, texts: list[str], names: Any = NAMES
) -> list[tuple[Unit, list[tuple[int, int]]]]:
    out = []
    lm = util.ScriptedLM(names)
    for unit in util.units(nlp, texts):
        starts, ends = (
            {s: i for i, (s, _) in enumerate(unit.tokens)},
            {e: i + 1 for i, (_, e) in enumerate(unit.tokens)},
        )
        out.append((unit, [(starts[s], ends[e]) for s, e in lm.mentions(unit.text)]))
    return out


TEXTS = [
    "John saw Paris",
    "Then John left France .",
    "He read the New York Times in Paris",
    "Nothing here .",
    "In France",
    "Why ?",
]


def test_tags_and_spans_are_the_same_thing() -> None:
    spans = [(0, 2), (2, 3), (5, 6)]
    assert spans_of_tags(tags_of_spans(7, spans).tolist()) == spans
    assert spans_of_tags([2, 0, 1, 2]) == [(2, 4)]


def test_the_tagger_learns_its_gold(nlp: Language) -> None:
    gold = _gold(nlp, TEXTS)
    tagger = Tagger()
    assert [tagger.spans(u)[0] for u, _ in gold] != [s for _, s in gold]
    tagger.fit(gold, epochs=10)
    assert [tagger.spans(u)[0] for u, _ in gold] == [s for _, s in gold]
    unit, _ = gold[2]
    goes_on = tagger.spans(unit)[1]
    assert goes_on[4] > 0.5 > goes_on[6]
    (unseen,) = _gold(nlp, ["She left France"])
    assert tagger.spans(unseen[0])[0] == unseen[1]


def test_the_tagger_is_reproducible(nlp: Language) -> None:
    made = []
    for _ in range(2):
        tagger = Tagger()
        tagger.fit(_gold(nlp, TEXTS))
        made.append(tagger.weights)
    assert np.array_equal(*made)


@pytest.mark.parametrize("text", [*util.SENTENCES, *util.ODD])
def test_the_tagger_takes_any_text(nlp: Language, text: str) -> None:
    (unit,) = util.units(nlp, [text])
    tagger = Tagger()
    tagger.learn(unit, [(0, 1)])
    spans, goes_on = tagger.spans(unit)
    assert all(0 <= s < e <= len(unit.tokens) for s, e in spans)
    assert len(goes_on) == len(unit.tokens)
    assert all(0 <= p <= 1 for p in goes_on)


def test_learning_online_saves_passes(nlp: Language) -> None:
    found, calls = [], []
    for kind in ("Cues", "Tagger"):
        drafter = {"@drafters": f"spacy-cascade.{kind}Drafter.v1"}
        pipeline, lm = util.scripted(
            NAMES, stages=["extractor"], extractor={"drafter": drafter}
        )
        for _ in range(8):
            lm.calls = 0
            found.append([util.entities(d) for d in pipeline.pipe(TEXTS, batch_size=1)])
        calls.append(lm.calls)
    assert calls[1] == len(TEXTS) < calls[0]
    assert all(f == found[0] for f in found)


def test_initialize_teaches_the_drafter(base: Path) -> None:
    pipeline = util.cascade(base)
    pipeline.initialize(lambda: util.examples(pipeline))
    drafter = pipeline.get_pipe("cascade_extractor").drafter  # type: ignore[attr-defined]
    (unit,) = util.units(pipeline, ["John Smith flew to Paris."])
    assert [k for k, v in drafter.guess(unit, []).known.items() if v] == [
        ("open", 0),
        ("close", 2),
        ("open", 4),
        ("close", 5),
    ]


def test_what_the_drafter_learned_is_saved(base: Path, tmp_path: Path) -> None:
    pipeline = util.cascade(base)
    pipeline.initialize(lambda: util.examples(pipeline))
    pipe: Any = pipeline.get_pipe("cascade_extractor")
    pipe.to_disk(tmp_path / "pipe")
    (unit,) = util.units(pipeline, ["Mary Jones works in Berlin."])
    for other in (
        pipe.__class__(
            pipeline, "other", pipe.weights.spec, pipe.template, drafter=TaggerDrafter()
        )
        for _ in range(2)
    ):
        assert other.drafter.guess(unit, []).known == {}
        other.from_disk(tmp_path / "pipe")
        assert (
            other.drafter.guess(unit, []).known
            == pipe.drafter.guess(unit, []).known
            != {}
        )
    (tmp_path / "pipe" / "drafter.safetensors").write_bytes(b"broken")
    with pytest.raises(CascadeError) as err:
        pipe.from_disk(tmp_path / "pipe")
    assert err.value.code == "C018"


def test_entities_of_earlier_components_come_before_the_tagger(nlp: Language) -> None:
    drafter = tagger_drafter()
    drafter.fit(_gold(nlp, TEXTS))
    (unit,) = util.units(nlp, ["John saw Paris"])
    assert drafter.guess(unit, [(1, 2)]).known == Guess(unit, [(1, 2)]).known


def test_c021_reach() -> None:
    with pytest.raises(CascadeError, match="reach"):
        tagger_drafter(reach=1.0)


def test_a_mention_that_runs_on_is_drafted_twice_as_far(nlp: Language) -> None:
    (unit,) = util.units(nlp, ["a " * 40])
    guess = Guess(unit, [(3, 4)], [False] * 40)
    ends = []
    for _ in range(4):
        assert guess.opens(3)
        end = next(i for i in range(4, 41) if guess.closes(i))
        ends.append(end)
        guess.learn([Choice("close", i, False) for i in range(4, end + 1)])
    assert ends == [4, 5, 9, 17]


def test_a_mention_as_long_as_the_text_takes_few_passes(
    rnd: Any, nlp: Language
) -> None:
    (unit,) = util.units(nlp, ["John " + "a " * 60 + "b"])
    lm = util.ScriptedLM({unit.text: ("x",)})
    from spacy_cascade.prompts.compact import CompactExtract

    job = CompactExtract().job(lm, unit, Guess(unit))
    decode(lm, [job])
    assert [(m.start, m.end) for m in job.mentions] == [(0, len(unit.text))]
    assert job.passes <= 8
