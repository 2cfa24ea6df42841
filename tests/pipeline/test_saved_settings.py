"""What is saved is what runs: settings changed on components, label sets, and bases whose owner is
gone or renamed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from spacy_cascade.pipeline.settings import settings_of
from tests import util

EXTRACTOR: dict[str, Any] = {
    "rounds": 2,
    "temperature": 0.5,
    "open_threshold": 0.123456789012345,
    "window": "stride",
    "max_tokens": 200,
    "overlap": 50,
    "annotate_ents": False,
    "score_threshold": 0.13,
    "overwrite_ents": True,
    "save_weights": "adapter",
    "adapter": {"rank": 2, "alpha": 4, "dropout": 0.0},
}
CLASSIFIER: dict[str, Any] = {
    "source": "ents",
    "strategy": "beam",
    "beam_width": 5,
    "n_best": 2,
    "min_score": 0.97,
    "score_threshold": 0.11,
    "unknown": True,
    "max_tokens": 100,
    "overwrite_ents": True,
    "save_weights": "none",
    "adapter": None,
}
OPEN_NER: dict[str, Any] = {
    "level": 1,
    "adapter_path": None,
    "nested": True,
    "min_score": 0.25,
    "score_threshold": 0.12,
    "window": "sents",
    "max_tokens": 100,
    "overlap": 20,
    "annotate_ents": False,
    "overwrite_ents": True,
    "save_weights": "none",
    "adapter": {"rank": 3, "alpha": 4, "dropout": 0.0},
}
ALL = {
    "cascade_extractor": EXTRACTOR,
    "cascade_classifier": CLASSIFIER,
    "open_ner": OPEN_NER,
}


def pipeline(base: Path) -> Language:
    nlp = util.cascade(base)
    nlp.add_pipe(
        "open_ner",
        config={"model": util.model_config(base), "taxonomy": util.labels_config()},
    )
    return nlp


def change(nlp: Language) -> None:
    for name, values in ALL.items():
        pipe: Any = nlp.get_pipe(name)
        for option, setting in settings_of(type(pipe)).items():
            setattr(pipe, setting.name, values[option])


def values(nlp: Language) -> dict[str, dict[str, Any]]:
    out = {}
    for name in nlp.pipe_names:
        pipe: Any = nlp.get_pipe(name)
        out[name] = {
            option: getattr(pipe, s.name)
            for option, s in settings_of(type(pipe)).items()
        }
    return out


def through_disk(nlp: Language, path: Path) -> Language:
    nlp.to_disk(path)
    return spacy.load(path)


def through_bytes(nlp: Language, path: Path) -> Language:
    return type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes())


def through_bytes_of_the_first_config(nlp: Language, path: Path) -> Language:
    base = nlp.config["components"]["cascade_extractor"]["model"]["name"]
    return pipeline(base).from_bytes(nlp.to_bytes())


WAYS = [through_disk, through_bytes, through_bytes_of_the_first_config]
Way = Callable[[Language, Path], Language]


@pytest.mark.parametrize("way", WAYS)
def test_every_setting_that_was_changed_is_saved(
    lively: Path, tmp_path: Path, way: Way
) -> None:
    nlp = pipeline(lively)
    change(nlp)
    assert values(nlp) == ALL
    again = values(way(nlp, tmp_path / "nlp"))
    for name, options in ALL.items():
        assert {
            k: (again[name][k], v) for k, v in options.items() if again[name][k] != v
        } == {}
    shown = nlp.config["components"]
    assert {
        name: {k: shown[name][k] for k in options} for name, options in ALL.items()
    } == ALL


def test_every_option_of_the_config_that_can_be_changed_is_a_setting(
    lively: Path,
) -> None:
    nlp = pipeline(lively)
    objects = {"factory", "model", "template", "taxonomy", "drafter", "scorer"}
    for name in nlp.pipe_names:
        assert set(nlp.config["components"][name]) - objects == set(
            settings_of(type(nlp.get_pipe(name)))
        )


def test_a_config_given_when_loading_counts_most(lively: Path, tmp_path: Path) -> None:
    nlp = util.cascade(lively, extractor={"rounds": 3})
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.open_threshold, pipe.rounds = 0.05, 2
    nlp.to_disk(tmp_path / "nlp")
    for given in (0.5, 0.7, 0.05):  # the first is what was there before the change
        config = {"components": {"cascade_extractor": {"open_threshold": given}}}
        loaded: Any = spacy.load(tmp_path / "nlp", config=config).get_pipe(
            "cascade_extractor"
        )
        assert (loaded.open_threshold, loaded.rounds) == (given, 2)


def test_a_config_edited_by_hand_counts(lively: Path, tmp_path: Path) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_classifier")
    pipe.min_score = 0.9
    nlp.to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["cascade_classifier"]["min_score"] = 0.1
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    assert spacy.load(tmp_path / "nlp").get_pipe("cascade_classifier").min_score == 0.1  # type: ignore[attr-defined]


def test_settings_of_a_sourced_component_are_saved(
    lively: Path, tmp_path: Path
) -> None:
    """It does not know the pipeline that it was put into, whose config so shows the old value."""
    nlp = util.blank()
    pipe: Any = nlp.add_pipe(
        "cascade_extractor", source=util.cascade(lively), name="finder"
    )
    pipe.open_threshold = 0.05
    loaded: Any = through_disk(nlp, tmp_path / "nlp").get_pipe("finder")
    assert loaded.open_threshold == 0.05


@pytest.mark.parametrize(
    ("name", "option", "value", "code"),
    [
        ("cascade_extractor", "open_threshold", 7, "C021"),
        ("cascade_extractor", "open_threshold", "0.5", "C021"),
        ("cascade_extractor", "open_threshold", float("nan"), "C021"),
        ("cascade_extractor", "rounds", 1.5, "C021"),
        ("cascade_extractor", "rounds", True, "C021"),
        ("cascade_extractor", "temperature", 0, "C021"),
        ("cascade_extractor", "window", "page", "C020"),
        ("cascade_extractor", "annotate_ents", 1, "C021"),
        ("cascade_extractor", "adapter_settings", "lora", "C021"),
        ("cascade_classifier", "source", "doc", "C020"),
        ("cascade_classifier", "strategy", None, "C020"),
        ("cascade_classifier", "min_score", None, "C021"),
        ("cascade_classifier", "save_weights", "all", "C020"),
        ("cascade_classifier", "template", "nothing", "C080"),
        ("cascade_classifier", "template", 3, "C080"),
    ],
)
def test_a_wrong_value_is_refused_when_it_is_set(
    lively: Path, name: str, option: str, value: Any, code: str
) -> None:
    pipe: Any = util.cascade(lively).get_pipe(name)
    before = getattr(pipe, option)
    with pytest.raises(CascadeError) as err:
        setattr(pipe, option, value)
    assert err.value.code == code
    assert getattr(pipe, option) == before


def test_settings_that_do_not_go_together_are_not_saved(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.max_tokens = 64  # and overlap 64
    with pytest.raises(CascadeError, match="'overlap' must be") as err:
        nlp.to_disk(tmp_path / "nlp")
    assert err.value.code == "C021"
    pipe.overlap = 16
    nlp.to_disk(tmp_path / "nlp")
    assert spacy.load(tmp_path / "nlp").get_pipe("cascade_extractor").overlap == 16  # type: ignore[attr-defined]


def test_a_template_that_the_config_does_not_tell_is_not_saved(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.template = type(pipe.template)(labels=True)
    with pytest.raises(CascadeError) as err:
        nlp.to_disk(tmp_path / "nlp")
    assert err.value.code == "C081"


def test_the_level_of_open_ner_changes_its_labels(lively: Path) -> None:
    pipe: Any = pipeline(lively).get_pipe("open_ner")
    assert pipe.labels == ("person", "city", "country")
    pipe.level = 1
    assert pipe.labels == ("person", "location")


# -- Label sets ----------------------------------------------------------------------

OWN = util.labels_config(["agent", "place->town"])
DYNAMIC = {"@taxonomies": "spacy-cascade.DynamicNER.v1"}


@pytest.mark.parametrize(
    "name", ["cascade_extractor", "cascade_classifier", "open_ner"]
)
@pytest.mark.parametrize(
    ("given", "roots"), [(OWN, ("agent", "place")), (DYNAMIC, None)]
)
def test_a_label_set_given_when_loading_counts(
    lively: Path, tmp_path: Path, name: str, given: Any, roots: Any
) -> None:
    pipeline(lively).to_disk(tmp_path / "nlp")
    nlp = spacy.load(
        tmp_path / "nlp", config={"components": {name: {"taxonomy": given}}}
    )
    found = nlp.get_pipe(name).taxonomy.roots  # type: ignore[attr-defined]
    assert found == roots if roots else len(found) == 8
    again = through_disk(nlp, tmp_path / "again").get_pipe(name)
    assert again.taxonomy.roots == found  # type: ignore[attr-defined]


def _old(path: Path) -> None:
    """Make a saved pipeline look as if an earlier version had written it."""
    for file in path.rglob("cascade.json"):
        meta = json.loads(file.read_text("utf8"))
        old = (
            "kind",
            "name",
            "save_weights",
            "taxonomy",
            "base",
            "adapter",
            "weights",
            "calibration",
        )
        file.write_text(json.dumps({k: v for k, v in meta.items() if k in old}))


@pytest.mark.parametrize("old", [False, True])
def test_a_changed_label_set_is_saved_and_another_can_be_given(
    lively: Path, tmp_path: Path, old: bool
) -> None:
    nlp = util.cascade(lively)
    before = spacy.util.load_config_from_str(nlp.config.to_str())
    pipe: Any = nlp.get_pipe("cascade_classifier")
    pipe.set_taxonomy(
        {
            "tree": {"agent": ["human"], "place": None},
            "descriptions": {"agent": "who acts"},
        }
    )
    nlp.to_disk(tmp_path / "nlp")
    if old:  # whose config showed what was there before
        before.to_disk(tmp_path / "nlp" / "config.cfg")
        _old(tmp_path / "nlp")
    loaded: Any = spacy.load(tmp_path / "nlp").get_pipe("cascade_classifier")
    assert loaded.taxonomy == pipe.taxonomy
    assert loaded.taxonomy.description(("agent",)) == "who acts"
    for given, n in ((util.labels_config(["x"]), 1), (DYNAMIC, 8)):
        config = {"components": {"cascade_classifier": {"taxonomy": given}}}
        other: Any = spacy.load(tmp_path / "nlp", config=config).get_pipe(
            "cascade_classifier"
        )
        assert len(other.taxonomy.roots) == n


def test_the_config_shows_the_label_set_in_use(lively: Path) -> None:
    nlp = util.cascade(lively)
    nlp.get_pipe("cascade_classifier").set_taxonomy(["agent", "place->town"])  # type: ignore[attr-defined]
    assert nlp.config["components"]["cascade_classifier"]["taxonomy"] == OWN


@pytest.mark.parametrize(
    ("given", "roots"), [(OWN, ("agent", "place")), (DYNAMIC, ("person", "location"))]
)
def test_assembling_takes_weights_and_a_label_set_that_is_not_the_default(
    lively: Path, tmp_path: Path, given: Any, roots: tuple[str, ...]
) -> None:
    trained = util.cascade(lively, classifier={"min_score": 0.4})
    trained("warm up")
    trained.to_disk(tmp_path / "nlp")
    pipe: Any = util.cascade(
        lively, classifier={"taxonomy": given, "min_score": 0.2}
    ).get_pipe("cascade_classifier")
    pipe.initialize(weights=tmp_path / "nlp" / "cascade_classifier")
    assert (pipe.min_score, pipe.taxonomy.roots) == (0.2, roots)


def test_a_component_by_itself_loads_all_that_was_saved(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_classifier")
    pipe.min_score = 0.9
    nlp.to_disk(tmp_path / "nlp")
    fresh: Any = util.cascade(lively, classifier={"taxonomy": DYNAMIC}).get_pipe(
        "cascade_classifier"
    )
    fresh.from_disk(tmp_path / "nlp" / "cascade_classifier")
    assert (fresh.min_score, fresh.taxonomy.roots) == (0.9, ("person", "location"))


# -- Bases that are shared -----------------------------------------------------------


def found(nlp: Language) -> list[Any]:
    return [(util.entities(d), util.spans(d)) for d in nlp.pipe(util.SENTENCES)]


def models(path: Path) -> list[str]:
    return sorted(
        str(p.parent.parent.relative_to(path))
        for p in path.rglob("model/model.safetensors")
    )


def trained(base: Path, tmp_path: Path, **classifier: Any) -> Language:
    """A saved pipeline whose weights are nowhere else."""
    util.cascade(base, classifier=classifier)
    nlp = util.cascade(base, classifier=classifier)
    nlp("warm up")
    nlp.to_disk(tmp_path / "source")
    config = spacy.util.load_config(tmp_path / "source" / "config.cfg")
    config["components"]["cascade_extractor"]["model"]["name"] = ""
    config.to_disk(tmp_path / "source" / "config.cfg")
    return spacy.load(tmp_path / "source")


@pytest.mark.slow
@pytest.mark.parametrize("run", [False, True])
def test_renamed_owner(lively: Path, tmp_path: Path, run: bool) -> None:
    nlp = trained(lively, tmp_path)
    expected = found(spacy.load(tmp_path / "source"))
    if run:
        nlp("warm up")
    nlp.rename_pipe("cascade_extractor", "finder")
    again = through_disk(nlp, tmp_path / "nlp")
    shutil.rmtree(tmp_path / "source")
    assert found(again) == found(nlp) == expected
    assert models(tmp_path / "nlp") == ["finder"]
    assert found(through_disk(again, tmp_path / "twice")) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [("finder", "typer"), ("cascade_extractor", "cascade_classifier")]
)
@pytest.mark.parametrize("run", [False, True])
def test_both_sourced(
    lively: Path, tmp_path: Path, names: tuple[str, str], run: bool
) -> None:
    source = trained(lively, tmp_path)
    expected = found(spacy.load(tmp_path / "source"))
    if run:
        source("warm up")
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", source=source, name=names[0])
    nlp.add_pipe("cascade_classifier", source=source, name=names[1])
    assert found(nlp) == expected
    again = through_disk(nlp, tmp_path / "nlp")
    assert found(again) == expected
    assert models(tmp_path / "nlp") == [names[0]]
    assert again.get_pipe(names[0]).lm is again.get_pipe(names[1]).lm  # type: ignore[attr-defined]
    assert found(through_disk(again, tmp_path / "twice")) == expected


def refined(nlp: Language) -> list[Any]:
    return [
        util.entities(d) for d in nlp.pipe(["She lives in Paris.", "Paris and Rome"])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["full", "adapter"])
@pytest.mark.parametrize("way", ["removed", "sourced", "sourced under its name"])
@pytest.mark.parametrize("run", [False, True])
def test_an_owner_that_is_gone(
    lively: Path, tmp_path: Path, how: str, way: str, run: bool
) -> None:
    source = trained(lively, tmp_path, source="ents", save_weights=how)
    if run:
        source("warm up")
    if way == "removed":
        nlp = source
        nlp.remove_pipe("cascade_extractor")
    else:
        nlp = util.blank()
        name = "typer" if way == "sourced" else "cascade_classifier"
        nlp.add_pipe("cascade_classifier", source=source, name=name)
    nlp.add_pipe("entity_ruler", first=True).add_patterns(
        [{"label": "X", "pattern": "Paris"}]
    )  # type: ignore[attr-defined]
    again = through_disk(nlp, tmp_path / "nlp")
    expected = refined(nlp)
    shutil.rmtree(tmp_path / "source")
    assert refined(again) == expected
    assert [label for doc in expected for *_, label in doc] != ["X", "X"]
    assert len(models(tmp_path / "nlp")) == 1
    twice = through_disk(again, tmp_path / "twice")
    shutil.rmtree(tmp_path / "nlp")
    assert refined(twice) == expected


# -- What is given in short ----------------------------------------------------------


def test_a_model_given_as_a_string(lively: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor",
        config={
            "model": str(lively),
            "template": "CompactExtract.v1",
            "drafter": "CuesDrafter.v1",
        },
    )
    plain = util.blank()
    plain.add_pipe("cascade_extractor", config={"model": util.model_config(lively)})
    assert [util.entities(d) for d in nlp.pipe(util.SENTENCES)] == [
        util.entities(d) for d in plain.pipe(util.SENTENCES)
    ]


@pytest.mark.parametrize(
    ("given", "n"),
    [("dynamicner", 8), ("spacy-cascade.DynamicNER.v1", 8), (["a", "b"], 2)],
)
def test_a_taxonomy_given_in_short(given: Any, n: int) -> None:
    pipe: Any = util.blank().add_pipe("cascade_classifier", config={"taxonomy": given})
    assert len(pipe.taxonomy.roots) == n


@pytest.mark.parametrize(
    ("option", "value", "parts"),
    [
        ("model", 3, ["'model'", "can't be 3", "SharedLM.v1"]),
        (
            "template",
            "Compact",
            ["'template'", "'Compact'", "spacy-cascade.CompactExtract.v1"],
        ),
        ("drafter", "x", ["'drafter'", "'x'", "spacy-cascade.TaggerDrafter.v1"]),
    ],
)
def test_what_can_not_be_understood_is_named(
    option: str, value: Any, parts: list[str]
) -> None:
    with pytest.raises(CascadeError) as err:
        util.blank().add_pipe("cascade_extractor", config={option: value})
    assert err.value.code == "C080"
    assert all(part in str(err.value) for part in parts)


def test_the_first_seconds(lively: Path, tmp_path: Path) -> None:
    """Without a model the message has the lines that help, and they work."""
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor")
    with pytest.raises(CascadeError) as err:
        nlp("Berlin")
    assert err.value.code == "C010"
    lines = (
        'nlp = spacy.load("xx_cascade_open_sm")',
        'nlp.add_pipe("cascade_extractor", source=spacy.load("xx_cascade_open_sm"))',
        'nlp.add_pipe("cascade_extractor", config={"model": "Qwen/Qwen2.5-0.5B"})',
    )
    assert all(line in str(err.value) for line in lines)
    util.cascade(lively).to_disk(tmp_path / "nlp")
    helped = util.blank()
    for line in (lines[1], lines[1].replace("extractor", "classifier")):
        exec(
            line.replace("xx_cascade_open_sm", str(tmp_path / "nlp")),
            {"nlp": helped, "spacy": spacy},
        )
    assert found(helped) == found(util.cascade(lively))
