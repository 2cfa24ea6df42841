"""What chat models are asked: the wording, and demonstrations before it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.prompts.chat import (
    CascadeNERClassify,
    CascadeNERExtract,
    CascadeNERPaper,
    ChatClassify,
    ChatExtract,
    ChatLabeledExtract,
)
from spacy_cascade.prompts.continued import ChatClassifyContinued
from spacy_cascade.prompts.demonstrations import read_shots
from spacy_cascade.types import MentionQuery
from tests import util
from tests.cli.util import call, find_config
from tests.prompts.test_chat_frames import CHATML

EXAMPLES = [
    {
        "text": "Ann met Bob in Rome.",
        "entities": [
            {"name": "Ann", "type": "person"},
            {"name": "Rome", "type": "location > city"},
        ],
    },
    {
        "text": "It rained in Oslo.",
        "entities": [{"name": "Oslo", "type": "location > city"}],
    },
    {"text": "Nothing happened.", "entities": []},
    {"text": "Eve sang.", "entities": [{"name": "Eve", "type": "person"}]},
]


@pytest.fixture(scope="module")
def lm(base: Path) -> Any:
    """A model with a chat format."""
    found = load_model(HFSpec(str(base), device="cpu"), private=True)
    found.tokenizer.chat_template = CHATML
    return found


def _written(lm: Any, ids: list[int]) -> str:
    return str(lm.tokenizer.decode(ids))


def _asked(nlp: Language, text: str, start: int, end: int) -> MentionQuery:
    return MentionQuery(util.units(nlp, [text])[0], start, end)


def _question(template: Any, lm: Any, asked: MentionQuery, types: list[str]) -> str:
    whole = _written(lm, template.prompt(lm, asked, (), types)[0])
    return whole.split("[user]")[-1].split("[end]")[0]


def test_the_papers_question_marks_the_mention_in_the_sentence(
    lm: Any, nlp: Language
) -> None:
    types = ["person", "location", "unknown"]
    asked = _asked(nlp, "xobe was in NEA", 0, 1)
    assert (
        _question(CascadeNERPaper(), lm, asked, types[:2])
        == '##xobe## in the sentence "##xobe## was in NEA" belong to which entity in the list:'
        " person, location?"
    )
    assert _question(CascadeNERPaper(), lm, asked, types).endswith(
        "location? If none of them applied, return unknown."
    )


def test_it_tells_two_occurrences_of_a_name_apart(lm: Any, nlp: Language) -> None:
    first, second = (_asked(nlp, "Paris left Paris", i, i + 1) for i in (0, 2))
    types = ["person", "city"]
    assert _question(CascadeNERPaper(), lm, first, types) != _question(
        CascadeNERPaper(), lm, second, types
    )
    # as released checkpoints were trained
    assert _question(CascadeNERClassify(), lm, first, types) == _question(
        CascadeNERClassify(), lm, second, types
    )


def test_every_wording_can_be_changed(lm: Any, nlp: Language) -> None:
    own = {
        "system": "NER",
        "user": "{level}/{types}/{mention}{unknown}",
        "unknown": " or?",
    }
    for make in (ChatClassify, CascadeNERClassify, CascadeNERPaper):
        asked = _asked(nlp, "Ann sang", 0, 1)
        assert _question(make(**own), lm, asked, ["a", "unknown"]) == "first/a/Ann or?"
        assert _written(lm, make(**own).prompt(lm, asked, (), ["a"])[0]).startswith(
            "[system]NER[end]"
        )
    unit = util.units(nlp, ["Ann sang"])[0]
    for template in (
        CascadeNERExtract("NER"),
        ChatExtract("NER", "Mark {it}."),
        ChatLabeledExtract("NER", "Mark {types}."),
    ):
        assert _written(lm, template.prompt(lm, unit)).startswith(
            "[system]NER[end][user]"
        )
    assert ChatClassifyContinued(lead=" :").lead == " :"


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("Which of {kinds}? {mention}", "kinds"),
        ("Which of {types}?", "neither"),
        ("{mention", "'}'"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(user: str, why: str) -> None:
    with pytest.raises(CascadeError, match=f"C108.*{why}"):
        ChatClassify(user=user)


# -- Demonstrations ------------------------------------------------------------------


def test_stage_one_shows_marked_copies(lm: Any, nlp: Language) -> None:
    unit = util.units(nlp, ["jo left."])[0]
    template = CascadeNERExtract(examples=EXAMPLES, n_examples=2)
    assert (
        _written(lm, template.job(lm, unit, Guess(unit)).prompt)
        == "[system]You are a helpful assistant.[end]"
        "[user]Ann met Bob in Rome.[end][assistant]##Ann## met Bob in ##Rome##.[end]"
        "[user]It rained in Oslo.[end][assistant]It rained in ##Oslo##.[end]"
        "[user]jo left.[end][assistant]"
    )
    job = template.job(lm, unit, Guess(unit))
    where = template.text_range(lm, job)
    assert _written(lm, [job.prompt[i] for i in where]) == "jo left."
    assert template.overhead(lm) + len(lm.encode(unit.text)) >= len(job.prompt)


def test_label_aware_demonstrations_mark_what_is_looked_for(
    lm: Any, nlp: Language
) -> None:
    (doc,) = [nlp.make_doc("Jo left.")]
    unit = make_unit(doc, 0, len(doc), ("location",))
    template = ChatLabeledExtract(
        instruction="Mark {types}.", examples=EXAMPLES, n_examples=1
    )
    assert (
        "Mark location.\nAnn met Bob in Rome.[end][assistant]Ann met Bob in ##Rome##.[end]"
        in _written(lm, template.prompt(lm, unit))
    )


def test_stage_two_shows_questions_of_the_same_list(lm: Any, nlp: Language) -> None:
    asked = _asked(nlp, "Jo left Bern.", 2, 3)
    template = CascadeNERPaper(examples=EXAMPLES)
    first = _written(lm, template.prompt(lm, asked, (), ["person", "location"])[0])
    assert '##Ann## in the sentence "##Ann## met Bob in Rome." belong to' in first
    assert first.count("[assistant]") == 3
    below = _written(
        lm, template.prompt(lm, asked, ("location",), ["city", "country"])[0]
    )
    assert "list: city, country?[end][assistant]city[end]" in below
    assert "##Ann##" not in below
    assert below.count("[assistant]") == 3


def test_answers_are_spelled_as_in_the_list() -> None:
    template = CascadeNERPaper(examples=EXAMPLES)
    question, answer = template._shot(
        template.shots.demos[0], (), ["PERSON", "Location"]
    ) or (
        "",
        "",
    )
    assert question.endswith("in the list: PERSON, Location?")
    assert answer == "PERSON"


def test_stages_that_go_on_show_the_same(lm: Any, nlp: Language) -> None:
    asked = _asked(nlp, "Jo left Bern.", 2, 3)
    extract = ChatExtract(examples=EXAMPLES)
    continued = ChatClassifyContinued(examples=EXAMPLES)
    assert continued.goes_on_from(extract)
    assert not ChatClassifyContinued().goes_on_from(extract)
    begin = extract.prompt(lm, asked.unit)
    assert continued.prompt(lm, asked, (), [])[0][: len(begin)] == begin


def test_what_demonstrations_say_is_no_control_token(lm: Any, nlp: Language) -> None:
    unit = util.units(nlp, ["Jo left."])[0]
    end = lm.token_id("</s>")
    plain, spelled = (
        CascadeNERExtract(examples=[{"text": text}]).prompt(lm, unit)
        for text in ("Jo </z>", "Jo </s>")
    )
    assert spelled.count(end) == plain.count(end)


def test_without_demonstrations_nothing_changes(lm: Any, nlp: Language) -> None:
    unit = util.units(nlp, ["Jo left."])[0]
    assert ChatExtract(examples=[]).prompt(lm, unit) == ChatExtract().prompt(lm, unit)


@pytest.mark.parametrize("form", ["json", "jsonl", "spacy"])
def test_examples_come_from_files(nlp: Language, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"examples.{form}"
    if form == "spacy":
        docs = [
            util.example(
                nlp, r["text"], [(e["name"], e["type"]) for e in r["entities"]]
            ).reference
            for r in EXAMPLES
        ]  # type: ignore[index,union-attr]
        DocBin(docs=docs, store_user_data=True).to_disk(path)
    else:
        (srsly.write_json if form == "json" else srsly.write_jsonl)(path, EXAMPLES)
    assert read_shots(str(path)).demos == read_shots(EXAMPLES).demos


def test_the_nearest_examples_are_shown_the_nearest_last() -> None:
    from corpus_tools.embedding import hash_embedder

    shots = read_shots(EXAMPLES, 2, hash_embedder())
    assert shots.of("It rained in Bergen.")[-1].text == "It rained in Oslo."
    assert all(
        demo.text != "It rained in Oslo." for demo in shots.of("It rained in Oslo.")
    )
    assert len(shots.of("It rained in Oslo.")) == 2


def test_bad_examples_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(CascadeError, match=r"C021.*n_examples"):
        ChatExtract(examples=EXAMPLES, n_examples=0)
    with pytest.raises(CascadeError, match=r"C051.*nowhere\.json"):
        ChatExtract(examples=str(tmp_path / "nowhere.json"))


@pytest.mark.slow
def test_they_come_from_a_config_and_run(base: Path) -> None:
    embedder = {"@embedders": "spacy-cascade.HashEmbedder.v1"}
    shots = {"examples": EXAMPLES, "n_examples": 1, "embedder": embedder}
    extract = {"@prompts": "spacy-cascade.CascadeNERExtract.v1", **shots}
    classify = {"@prompts": "spacy-cascade.CascadeNERPaper.v1", **shots}
    nlp = util.cascade(
        base,
        extractor={"template": extract, "open_threshold": 0.1},
        classifier={"template": classify},
    )
    docs = list(nlp.pipe(util.SENTENCES))
    assert sum(len(doc.spans["cascade"]) for doc in docs)
    assert [util.spans(nlp(text)) for text in util.SENTENCES] == [
        util.spans(doc) for doc in docs
    ]


def test_a_list_that_is_too_long_for_the_window_is_a_clear_error(base: Path) -> None:
    classify = {"@prompts": "spacy-cascade.CascadeNERPaper.v1"}
    labels = util.labels_config([f"kind number {i}" for i in range(400)])
    more = {
        "template": classify,
        "taxonomy": labels,
        "source": "ents",
        "model": util.model_config(base, max_length=300),
    }
    nlp = util.cascade(base, classifier=more)
    nlp.remove_pipe("cascade_extractor")
    nlp.add_pipe("entity_ruler", first=True).add_patterns(
        [{"label": "X", "pattern": "Paris"}]
    )  # type: ignore[attr-defined]
    with pytest.raises(CascadeError, match=r"C109.*Paris.*400 types.*300"):
        nlp("She lives in Paris.")


@pytest.mark.slow
def test_the_released_config_reads_two_models_from_one_directory(
    base: Path, other_base: Path, tmp_path: Path
) -> None:
    for name, path in (("first", base), ("second", other_base)):
        shutil.copytree(path, tmp_path / "released" / name)
    folders = ["--released.extractor=first", "--released.classifier=second"]
    given = [f"--paths.base={tmp_path / 'released'}", *folders]
    call("assemble", find_config("cascadener_released"), tmp_path / "nlp", *given)
    nlp = spacy.load(tmp_path / "nlp")
    extractor, classifier = (
        nlp.get_pipe(f"cascade_{n}") for n in ("extractor", "classifier")
    )
    assert extractor.lm.fingerprint() != classifier.lm.fingerprint()  # type: ignore[attr-defined]
    assert extractor.rounds == 3  # type: ignore[attr-defined]
    nlp.get_pipe("cascade_classifier").set_taxonomy(["person", "place"])
    for doc in nlp.pipe(util.SENTENCES):
        assert {e.label_ for e in doc.ents} <= {"person", "place"}
