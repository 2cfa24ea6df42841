"""The commands and the configs, on tiny data: the workflow of project.yml in small."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_cascade.cli  # noqa: F401
from spacy_cascade.cli import cascade_app
from spacy_cascade.cli.evaluate import evaluate
from spacy_cascade.cli.visualize import OTHER, render_page
from spacy_cascade.training.augment import gold_doc
from tests import util

CONFIGS = [
    path
    for path in sorted((Path(__file__).parents[2] / "configs").glob("*.cfg"))
    # an extra; tests/test_baselines.py trains it where it is installed
    if "transformer" not in path.stem or find_spec("spacy_transformers")
]
SMALL = [
    "--finetune.max_steps=3",
    "--finetune.batch_size=4",
    "--finetune.eval_every=2",
    "--finetune.save_every=2",
]
PATHS = {
    "John Smith": "person > real person > politician",
    "Mary Jones": "person > real person > artist",
    "Peter Brown": "person > real person > actor",
}


def call(*args: Any, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result.output


def find_config(name: str) -> Path:
    return next(c for c in CONFIGS if c.name == f"{name}.cfg")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: Any) -> Path:
    """DynamicNER types, so that the configs can stay as they are."""
    folder = tmp_path_factory.mktemp("corpus")
    nlp = util.blank()
    docs = []
    for text, mentions in util.GOLD:
        spans, at = [], 0
        for name, _ in mentions:
            at = text.index(name, at)
            path = PATHS.get(name, "location > geo-political entity > city")
            spans.append((at, at + len(name), tuple(path.split(" > "))))
            at += len(name)
        doc = gold_doc(nlp, text, spans)
        doc.user_data["cascade_record"] = {"language": "en"}
        docs.append(doc)
    for split in ("train", "dev", "test"):
        (folder / "mini").mkdir(exist_ok=True)
        DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{split}.spacy")
        DocBin(docs=docs, store_user_data=True).to_disk(
            folder / "mini" / f"{split}.spacy"
        )
    (folder / "lexicon").mkdir()
    srsly.write_json(
        folder / "lexicon" / "en.json", {"politician": ["Ann Lee"], "city": ["Oslo"]}
    )
    return folder


@pytest.fixture(scope="module")
def paths(corpus: Path) -> list[str]:
    return [
        f"--paths.train={corpus / 'train.spacy'}",
        f"--paths.dev={corpus / 'dev.spacy'}",
    ]


@pytest.fixture(scope="module")
def work(tmp_path_factory: Any, corpus: Path, paths: list[str]) -> Path:
    """base -> finetune base -> finetune both stages -> assemble."""
    out = tmp_path_factory.mktemp("work")
    options = [
        "--vocab-size",
        400,
        "--hidden-size",
        32,
        "--layers",
        1,
        "--lexicon",
        corpus / "lexicon",
    ]
    call("cascade", "base", out / "init", corpus / "train.spacy", *options)
    lexicon = f"--paths.lexicon={corpus / 'lexicon'}"
    call(
        "cascade",
        "finetune",
        find_config("base"),
        "-o",
        out / "base",
        *paths,
        lexicon,
        f"--paths.init={out / 'init'}",
        *SMALL,
    )
    base = f"--paths.base={out / 'base/model-best/cascade_extractor/model'}"
    for stage in ("extractor", "classifier"):
        call(
            "cascade",
            "finetune",
            find_config(stage),
            "-o",
            out / stage,
            *paths,
            base,
            *SMALL,
        )
    weights = [
        f"--paths.{s}={out / s / 'model-best' / f'cascade_{s}'}"
        for s in ("extractor", "classifier")
    ]
    call("assemble", find_config("pipeline"), out / "pipeline", *weights)
    return out


# -- Configs -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.stem)
def test_fill_config_round_trip(config: Path, tmp_path: Path) -> None:
    call("init", "fill-config", config, tmp_path / "a.cfg")
    call("init", "fill-config", tmp_path / "a.cfg", tmp_path / "b.cfg")
    a, b = ((tmp_path / f"{n}.cfg").read_text() for n in "ab")
    assert a == b
    written, filled = (
        spacy.util.load_config(p, interpolate=False)
        for p in (config, tmp_path / "a.cfg")
    )
    for section in ("finetune", "paths"):
        for key, value in written.get(section, {}).items():
            assert filled[section][key] == value
    assert _within(written["components"], filled["components"])


def _within(part: Any, whole: Any) -> bool:
    """Whether everything that stands in a config stands in the filled one."""
    if isinstance(part, dict):
        return all(k in whole and _within(v, whole[k]) for k, v in part.items())
    return part == whole


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.stem)
def test_components_and_loop_of_every_config_can_be_made(config: Path) -> None:
    from spacy_cascade.registry import registry

    settings = spacy.util.load_config(config, interpolate=True)
    nlp = spacy.util.load_model_from_config(settings, auto_fill=True)
    assert nlp.pipe_names == settings["nlp"]["pipeline"]
    if "finetune" in settings:
        loop = registry.resolve({"finetune": settings["finetune"]})["finetune"]
        assert set(loop.components) <= set(nlp.pipe_names)


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.stem)
def test_debug_config(
    config: Path, corpus: Path, paths: list[str], work: Path, tmp_path: Path
) -> None:
    call("init", "fill-config", config, tmp_path / "full.cfg")
    where = "init" if config.stem.endswith("base") else "base"
    known = spacy.util.load_config(config)["paths"]
    given = [f"--paths.{where}={work / 'init'}"] if where in known else []
    call("debug", "config", tmp_path / "full.cfg", *paths, *given)


def test_configs_name_no_path_of_a_machine() -> None:
    for config in CONFIGS:
        assert not re.search(r'"/|\b[A-Z]:\\', config.read_text())


# -- The workflow --------------------------------------------------------------------


def test_base_is_a_hugging_face_directory(work: Path) -> None:
    names = {p.name for p in (work / "init").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not any(n.endswith((".bin", ".pt")) for n in names)


def test_the_tuned_base_is_one_too(work: Path) -> None:
    names = {
        p.name for p in (work / "base/model-best/cascade_extractor/model").iterdir()
    }
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names


@pytest.mark.parametrize("stage", ["base", "extractor", "classifier"])
def test_finetune_writes_its_results(work: Path, stage: str) -> None:
    assert {"model-best", "model-last", "checkpoint", "log.jsonl"} <= {
        p.name for p in (work / stage).iterdir()
    }
    steps = [
        json.loads(x)["step"]
        for x in (work / stage / "log.jsonl").read_text().splitlines()
    ]
    assert steps == [2, 3]


def test_a_finished_finetune_can_be_called_again(work: Path, paths: list[str]) -> None:
    """`spacy project run` does that whenever the outputs are not on record."""
    base = f"--paths.base={work / 'base/model-best/cascade_extractor/model'}"
    call(
        "cascade",
        "finetune",
        find_config("extractor"),
        "-o",
        work / "extractor",
        *paths,
        base,
        *SMALL,
    )


def test_assembled_pipeline_has_one_base_and_two_adapters(work: Path) -> None:
    nlp = spacy.load(work / "pipeline")
    assert nlp.pipe_names == ["sentencizer", "cascade_extractor", "cascade_classifier"]
    first, second = (
        nlp.get_pipe("cascade_extractor"),
        nlp.get_pipe("cascade_classifier"),
    )
    assert first.lm is second.lm  # type: ignore[attr-defined]
    assert (
        len({first.weights.adapter, second.weights.adapter} & set(first.lm.adapters))
        == 2
    )  # type: ignore[attr-defined]
    found = sorted(
        str(p.relative_to(work / "pipeline"))
        for p in (work / "pipeline").rglob("*.safetensors")
    )
    assert found == [
        "cascade_classifier/adapter/adapter_model.safetensors",
        "cascade_extractor/adapter/adapter_model.safetensors",
        "cascade_extractor/drafter.safetensors",
        "cascade_extractor/model/model.safetensors",
    ]


@pytest.mark.slow
def test_assembled_stages_answer_like_the_trained_ones(work: Path) -> None:
    nlp, stage = (
        spacy.load(work / "pipeline"),
        spacy.load(work / "extractor/model-best"),
    )
    for text, _ in util.GOLD:
        docs = nlp(text), stage(text)
        found, expected = (
            [(s.start_char, s.end_char) for s in doc.spans["cascade"]] for doc in docs
        )
        assert found == expected


@pytest.mark.slow
def test_open_pipeline_is_trained_assembled_and_exported(
    work: Path, corpus: Path, paths: list[str], tmp_path: Path
) -> None:
    init = f"--paths.init={work / 'init'}"
    call(
        "cascade",
        "finetune",
        find_config("open_base"),
        "-o",
        tmp_path / "base",
        *paths,
        init,
        *SMALL,
        "--paths.lexicon=null",
    )
    weights = [
        f"--paths.{s}={tmp_path / 'base/model-best' / f'cascade_{s}'}"
        for s in ("extractor", "classifier")
    ]
    call("assemble", find_config("open_pipeline"), tmp_path / "pipeline", *weights)
    srsly.write_json(
        tmp_path / "meta.json", {"description": "A test", "license": "MIT"}
    )
    options = ["--calibrate", corpus / "dev.spacy", "--meta", tmp_path / "meta.json"]
    call("cascade", "export", tmp_path / "pipeline", tmp_path / "out", *options)
    before, after = spacy.load(tmp_path / "pipeline"), spacy.load(tmp_path / "out")
    assert after.meta["description"] == "A test"
    assert all(
        after.get_pipe(n).calibration is not None
        for n in ("cascade_extractor", "cascade_classifier")
    )
    size = {
        n: (tmp_path / n / "cascade_extractor/model/model.safetensors").stat().st_size
        for n in ("pipeline", "out")
    }
    assert size["out"] < 0.6 * size["pipeline"]
    assert not (tmp_path / "out/cascade_classifier/model").exists()
    marks = {
        n: srsly.read_json(tmp_path / n / "sentencizer.json")["punct_chars"]
        for n in ("pipeline", "out")
    }
    assert marks["out"] == sorted(marks["pipeline"])
    for context in ({}, {"cascade_labels": ["city", "politician"]}):
        docs = [
            next(n.pipe([("Ann Lee is in Oslo.", context)], as_tuples=True))[0]
            for n in (before, after)
        ]
        assert [len(d.spans["cascade"]) for d in docs] == [
            len(docs[0].spans["cascade"])
        ] * 2
    assert "C020" in call(
        "cascade",
        "export",
        tmp_path / "pipeline",
        tmp_path / "x",
        "--dtype",
        "int3",
        code=1,
    )


@pytest.mark.slow
def test_spacy_train(
    work: Path, corpus: Path, paths: list[str], tmp_path: Path
) -> None:
    call("init", "fill-config", find_config("extractor"), tmp_path / "full.cfg")
    limits = ["--training.max_steps", 5, "--training.eval_frequency", 5]
    base = f"--paths.base={work / 'base/model-best/cascade_extractor/model'}"
    call("train", tmp_path / "full.cfg", "-o", tmp_path / "out", *paths, base, *limits)
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert nlp("John Smith flew to Paris.").text
    assert "cascade_extraction_f" in nlp.meta["performance"]


def test_spacy_evaluate(work: Path, corpus: Path, tmp_path: Path) -> None:
    call(
        "evaluate", work / "pipeline", corpus / "test.spacy", "-o", tmp_path / "m.json"
    )
    scores = srsly.read_json(tmp_path / "m.json")
    assert {"cascade_extraction_f", "cascade_fine_f", "cascade_accuracy"} <= set(scores)


def test_cascade_evaluate(work: Path, corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "m.json"
    text = call(
        "cascade",
        "evaluate",
        work / "pipeline",
        corpus,
        "-o",
        output,
        "--train",
        corpus / "train.spacy",
        "--nested",
    )
    assert "mini" in text
    scores = srsly.read_json(output)
    assert scores["corpora"]["mini"]["docs"] == len(util.GOLD)
    assert scores["corpora"]["mini"]["mentions"] == sum(len(m) for _, m in util.GOLD)
    assert scores["all"]["docs"] == 2 * len(util.GOLD)
    assert scores["all"]["seen_mentions"] == scores["all"]["mentions"]
    assert scores["all"]["unseen_recall"] is None


def test_cascade_evaluate_scores_a_perfect_pipeline_as_perfect(corpus: Path) -> None:
    names = {
        n: tuple(PATHS.get(n, "location > geo-political entity > city").split(" > "))
        for _, m in util.GOLD
        for n, _ in m
    }
    nlp, _ = util.scripted(names, sorted({" > ".join(p) for p in names.values()}))
    scores = evaluate(nlp, [corpus / "test.spacy"])["all"]
    assert [
        scores[f"cascade_{n}_f"]
        for n in ("extraction", "coarse", "medium", "fine", "typed")
    ] == [1.0] * 5
    assert scores["cascade_accuracy"] == 1.0


def test_cascade_evaluate_limit(work: Path, corpus: Path) -> None:
    assert (
        evaluate(work / "pipeline", [corpus / "test.spacy"], limit=2)["all"]["docs"]
        == 2
    )


def test_cascade_visualize_writes_a_self_contained_page(
    work: Path, corpus: Path, tmp_path: Path
) -> None:
    call(
        "cascade",
        "visualize",
        work / "pipeline",
        corpus / "test.spacy",
        tmp_path / "new" / "page.html",
    )
    page = (tmp_path / "new" / "page.html").read_text("utf8")
    assert "John Smith" in re.sub(r"<[^>]+>", "", page)
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|url\(", page)


def test_pages_show_path_and_score_and_escape_text() -> None:
    nlp, _ = util.scripted({"John": ("person",), "Paris": ("location", "city")})
    page = render_page(
        {"<b>&": [nlp("John <script>alert(1)</script> Paris & co")]}, title="<i>"
    )
    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert 'title="location &gt; city  (' in page
    assert "Paris" in page


def test_pages_of_texts_without_entities(nlp: Any) -> None:
    assert "Nothing" in render_page(
        {"a": [nlp("Nothing"), nlp("")], "b": []}, title="t"
    )


def test_pages_leave_the_direction_to_the_text() -> None:
    """displaCy writes 'direction: ltr' into every text; the style must undo it."""
    from spacy_cascade.pages import errors_css

    nlp, _ = util.scripted({"תל אביב": ("location", "city")})
    page = render_page({"he": [nlp("הוא נולד בתל אביב, תל אביב.")]}, title="t")
    assert '<div dir="auto"><div class="entities"' in page
    assert re.search(r"\.entities \{[^}]*direction: inherit !important", page)
    assert re.search(r"\.entities \{[^}]*direction: inherit !important", errors_css())


def test_no_colour_of_a_page_stands_for_two_types() -> None:
    names = {f"Name{i:02}x": (f"type {i:02}",) for i in range(15)}
    nlp, _ = util.scripted(names, [path[0] for path in names.values()])
    page = render_page(
        {"a": [nlp(" and ".join([*names, *list(names)[3:]]))]}, title="t"
    )
    legend = re.findall(r'<span style="background: (#\w+)">(type \d\d)</span>', page)
    assert [name for _, name in legend] == [f"type {i:02}" for i in range(15)]
    colors = Counter(color for color, _ in legend)
    assert colors.pop(OTHER) == 3
    assert set(colors.values()) == {1}
    assert {name for color, name in legend if color == OTHER} == {
        "type 00",
        "type 01",
        "type 02",
    }


@pytest.mark.slow
def test_python_m_spacy_finds_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "cascade", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(
        name in done.stdout for name in ("base", "finetune", "evaluate", "visualize")
    )


@pytest.mark.slow
def test_python_m_spacy_runs_a_command(corpus: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "spacy",
        "cascade",
        "base",
        str(tmp_path / "b"),
        str(corpus / "train.spacy"),
    ]
    done = subprocess.run(
        [*command, "--vocab-size", "300", "--hidden-size", "32", "--layers", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b" / "model.safetensors").is_file()


# -- Errors --------------------------------------------------------------------------


def _message(*args: Any) -> str:
    """The command ends with exit code 1 and a message instead of a traceback."""
    result = CliRunner().invoke(cascade_app, [str(a) for a in args])
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    return result.output


def test_errors_are_messages(tmp_path: Path) -> None:
    assert "C031" in _message("base", tmp_path / "b", tmp_path / "none.spacy")
    (tmp_path / "bad.spacy").write_bytes(b"no docbin")
    assert "C031" in _message("base", tmp_path / "b", tmp_path / "bad.spacy")
    assert not (tmp_path / "b").exists()


def test_evaluate_without_data(work: Path, tmp_path: Path) -> None:
    assert "C031" in _message("evaluate", work / "pipeline", tmp_path)
    assert "C031" in _message(
        "visualize", work / "pipeline", tmp_path / "no.spacy", tmp_path / "p.html"
    )


def test_finetune_with_a_config_without_the_block(tmp_path: Path) -> None:
    assert "C033" in _message("finetune", find_config("pipeline"), "-o", tmp_path / "o")


def test_finetune_with_an_unknown_value(
    work: Path, paths: list[str], tmp_path: Path
) -> None:
    base = f"--paths.base={work / 'init'}"
    text = _message(
        "finetune",
        find_config("extractor"),
        "-o",
        tmp_path / "o",
        *paths,
        base,
        "--finetune.objective=nonsense",
    )
    assert "C020" in text
    assert "decisions, completion" in re.sub(r"\s+", " ", text)


def test_finetune_without_training_data(work: Path, tmp_path: Path) -> None:
    base = f"--paths.base={work / 'init'}"
    text = _message(
        "finetune",
        find_config("extractor"),
        "-o",
        tmp_path / "o",
        f"--paths.train={tmp_path / 'no.spacy'}",
        base,
    )
    assert "C031" in text


@pytest.mark.parametrize("command", ["evaluate", "visualize", "errors", "export"])
def test_a_pipeline_that_is_not_there(command: str, tmp_path: Path) -> None:
    (tmp_path / "test.spacy").touch()
    args = (
        [tmp_path / "test.spacy", tmp_path / "out"]
        if command in ("visualize", "errors")
        else [tmp_path / "test.spacy"]
    )
    assert "E050" in _message(command, tmp_path / "nothing", *args)


def test_a_pipeline_whose_package_is_not_installed(tmp_path: Path) -> None:
    """As one with a transformer is, without spacy-transformers."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "p")
    config = (
        (tmp_path / "p" / "config.cfg")
        .read_text("utf8")
        .replace('factory = "sentencizer"', 'factory = "no_such"')
    )
    (tmp_path / "p" / "config.cfg").write_text(config, "utf8")
    assert "E002" in _message("evaluate", tmp_path / "p", tmp_path / "test.spacy")


def test_errors_without_a_code_are_defects_and_keep_their_traceback() -> None:
    from spacy_cascade.cli._util import show_errors

    with pytest.raises(ValueError, match="defect"), show_errors():
        raise ValueError("defect")


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "no JSON"), ("[]", "it lacks corpora"), ('{"corpora": {}}', "it lacks all")],
)
def test_c061_show_of_a_file_without_scores(
    tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "scores.json").write_text(text)
    output = re.sub(r"\s+", " ", _message("show", tmp_path / "scores.json"))
    assert "C061" in output
    assert why in output


@pytest.mark.parametrize("size", ["0", "40", "-32"])
def test_width_that_the_heads_do_not_divide(tmp_path: Path, size: str) -> None:
    assert "C021" in _message(
        "base", tmp_path / "b", tmp_path / "x.spacy", f"--hidden-size={size}"
    )


@pytest.mark.parametrize("command", ["evaluate", "visualize", "errors", "export"])
def test_a_negative_limit_is_refused(command: str, tmp_path: Path) -> None:
    args = [str(tmp_path / name) for name in "abc"]
    result = CliRunner().invoke(
        cascade_app, [command, *args[: 2 if command == "export" else 3], "--limit=-1"]
    )
    assert result.exit_code == 2
    assert "--limit" in result.output
