from __future__ import annotations

import gc
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.files import check_safetensors
from tests import util


def shake(nlp: Language) -> Language:
    """Give both stages an adapter with random weights."""
    for k, name in enumerate(("cascade_extractor", "cascade_classifier")):
        pipe: Any = nlp.get_pipe(name)
        trainable = pipe.start_training()
        generator = torch.Generator().manual_seed(k)
        with torch.no_grad():
            for p in trainable.parameters.values():
                p.copy_(torch.randn(p.shape, generator=generator) * 0.2)
    return nlp


@pytest.fixture(scope="module")
def trained(lively: Path) -> Language:
    settings = {"adapter": {"rank": 4, "alpha": 8}}
    return shake(
        util.cascade(
            lively,
            extractor=settings,
            classifier={**settings, "save_weights": "adapter"},
        )
    )


def results(nlp: Language) -> list[Any]:
    return [
        (util.entities(d), util.spans(d))
        for d in nlp.pipe([*util.SENTENCES, *util.ODD])
    ]


def code(err: Any) -> str:
    return err.value.code


# -- Round trips ---------------------------------------------------------------------


def test_adapters_matter(trained: Language, lively: Path) -> None:
    assert results(trained) != results(util.cascade(lively))
    assert sum(len(e) for e, _ in results(trained)) > 3


def test_to_disk_and_load(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "nlp")
    nlp = spacy.load(tmp_path / "nlp")
    assert results(nlp) == results(trained)
    assert nlp.get_pipe("cascade_extractor").lm is nlp.get_pipe("cascade_classifier").lm  # type: ignore[attr-defined]


def test_the_base_is_saved_once(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "nlp")
    found = sorted(
        str(p.relative_to(tmp_path / "nlp"))
        for p in (tmp_path / "nlp").rglob("*.safetensors")
    )
    assert found == [
        "cascade_classifier/adapter/adapter_model.safetensors",
        "cascade_extractor/adapter/adapter_model.safetensors",
        "cascade_extractor/drafter.safetensors",
        "cascade_extractor/model/model.safetensors",
    ]


def test_no_pickle_is_written(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "nlp")
    for stage in ("cascade_extractor", "cascade_classifier"):
        for p in (tmp_path / "nlp" / stage).rglob("*"):
            assert p.is_dir() or p.suffix in (
                ".json",
                ".safetensors",
                ".md",
                ".txt",
                ".jinja",
            ), p
            if p.suffix == ".safetensors":
                check_safetensors(p)


def test_load_needs_neither_the_base_nor_the_network(
    trained: Language, tmp_path: Path
) -> None:
    trained.to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["cascade_extractor"]["model"]["name"] = "nobody/nothing"
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    assert results(spacy.load(tmp_path / "nlp")) == results(trained)


def test_a_saved_pipeline_may_move(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "a")
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert results(spacy.load(tmp_path / "b")) == results(trained)


@pytest.mark.slow
def test_saving_twice_and_loading_twice(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "a")
    spacy.load(tmp_path / "a").to_disk(tmp_path / "b")
    assert results(spacy.load(tmp_path / "b")) == results(trained)


@pytest.mark.slow
def test_adapters_go_with_their_pipelines(trained: Language, tmp_path: Path) -> None:
    """A base that is shared in this process does not fill up with the adapters of
    pipelines that are gone.
    """
    trained.to_disk(tmp_path / "nlp")

    def adapters(nlp: Language) -> set[str]:
        return {nlp.get_pipe(name).weights.adapter for name in nlp.pipe_names}  # type: ignore[attr-defined]

    first, second = (spacy.load(tmp_path / "nlp") for _ in range(2))
    expected, gone = results(second), adapters(first)
    lm = second.get_pipe("cascade_extractor").lm  # type: ignore[attr-defined]
    assert gone | adapters(second) <= set(lm.adapters)
    del first
    gc.collect()
    third = spacy.load(tmp_path / "nlp")
    assert third.get_pipe("cascade_extractor").lm is lm  # type: ignore[attr-defined]
    assert not gone & set(lm.adapters)
    assert adapters(second) | adapters(third) <= set(lm.adapters)
    assert results(second) == results(third) == expected


@pytest.mark.slow
def test_saving_over_the_directory_it_was_loaded_from(
    trained: Language, tmp_path: Path
) -> None:
    trained.to_disk(tmp_path / "a")
    nlp = spacy.load(tmp_path / "a")
    nlp.to_disk(tmp_path / "a")
    assert results(spacy.load(tmp_path / "a")) == results(trained) == results(nlp)


def test_to_bytes(trained: Language) -> None:
    nlp = (
        Language.from_config(trained.config)
        if trained.lang is None
        else type(trained).from_config(trained.config)
    )
    nlp.from_bytes(trained.to_bytes())
    assert results(nlp) == results(trained)


@pytest.mark.slow
def test_component_round_trips(trained: Language, lively: Path, tmp_path: Path) -> None:
    fresh = util.cascade(lively)
    for name in ("cascade_extractor", "cascade_classifier"):
        pipe: Any = trained.get_pipe(name)
        pipe.to_disk(tmp_path / name)
        fresh.get_pipe(name).from_disk(tmp_path / name)  # type: ignore[attr-defined]
    assert results(fresh) == results(trained)
    again = util.cascade(lively)
    for name in ("cascade_extractor", "cascade_classifier"):
        again.get_pipe(name).from_bytes(trained.get_pipe(name).to_bytes())  # type: ignore[attr-defined]
    assert results(again) == results(trained)


def test_taxonomy_is_saved(trained: Language, tmp_path: Path) -> None:
    nlp = util.blank().from_bytes(
        trained.to_bytes(), exclude=["cascade_extractor", "cascade_classifier"]
    )
    assert nlp.pipe_names == []
    pipe: Any = trained.get_pipe("cascade_classifier")
    before = pipe.taxonomy
    try:
        pipe.set_taxonomy({"agent": ["human"], "place": None})
        trained.to_disk(tmp_path / "nlp")
    finally:
        pipe.set_taxonomy(before)
    loaded: Any = spacy.load(tmp_path / "nlp").get_pipe("cascade_classifier")
    assert list(loaded.taxonomy) == [("agent",), ("agent", "human"), ("place",)]


def test_exclude_weights(trained: Language, lively: Path, tmp_path: Path) -> None:
    pipe: Any = trained.get_pipe("cascade_extractor")
    pipe.to_disk(tmp_path / "p", exclude=["weights"])
    assert not list((tmp_path / "p").rglob("*.safetensors"))


# -- Config --------------------------------------------------------------------------


def test_config_round_trip(lively: Path) -> None:
    nlp = util.cascade(
        lively,
        extractor={"rounds": 2, "overlap": 32},
        classifier={"strategy": "beam", "min_score": 0.2},
    )
    again = type(nlp).from_config(nlp.config)
    assert again.config == nlp.config
    assert again.get_pipe("cascade_extractor").rounds == 2  # type: ignore[attr-defined]
    assert again.get_pipe("cascade_classifier").min_score == 0.2  # type: ignore[attr-defined]
    assert results(again) == results(nlp)


def test_config_survives_text(lively: Path) -> None:
    nlp = util.cascade(lively)
    config = spacy.util.load_config_from_str(nlp.config.to_str())
    assert type(nlp).from_config(config).config == nlp.config


@pytest.mark.parametrize("factory", ["cascade_extractor", "cascade_classifier"])
def test_default_config_is_complete(factory: str) -> None:
    nlp = util.blank()
    nlp.add_pipe(factory)
    assert type(nlp).from_config(nlp.config).pipe_names == [factory]


@pytest.mark.parametrize("factory", ["cascade_extractor", "cascade_classifier"])
def test_unknown_settings_are_refused(factory: str) -> None:
    from thinc.api import ConfigValidationError

    with pytest.raises(ConfigValidationError):
        util.blank().add_pipe(factory, config={"no_such_setting": 1})


def test_an_untrained_pipeline_saves_without_weights(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    nlp.to_disk(tmp_path / "nlp")
    assert not list((tmp_path / "nlp").rglob("*.safetensors"))
    assert results(spacy.load(tmp_path / "nlp")) == results(nlp)


# -- save_weights --------------------------------------------------------------------


def _alone(base: Path, save_weights: str) -> Language:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor",
        config={
            "model": util.model_config(base),
            "save_weights": save_weights,
            "adapter": {"rank": 4},
        },
    )
    pipe: Any = nlp.get_pipe("cascade_extractor")
    trainable = pipe.start_training()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in trainable.parameters.values():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.2)
    return nlp


def _found(nlp: Language) -> list[Any]:
    return [util.entities(d) for d in nlp.pipe(util.SENTENCES)]


@pytest.mark.parametrize(
    ("value", "model", "adapter"),
    [("full", True, True), ("adapter", False, True), ("none", False, False)],
)
def test_save_weights(
    lively: Path, tmp_path: Path, value: str, model: bool, adapter: bool
) -> None:
    nlp = _alone(lively, value)
    nlp.to_disk(tmp_path / "nlp")
    folder = tmp_path / "nlp" / "cascade_extractor"
    assert (folder / "model").is_dir() == model
    assert (folder / "adapter").is_dir() == adapter
    meta = json.loads((folder / "cascade.json").read_text())
    assert meta["save_weights"] == value
    again = spacy.load(tmp_path / "nlp")
    assert (_found(again) == _found(nlp)) == adapter
    if value == "none":
        bare = util.blank()
        bare.add_pipe("cascade_extractor", config={"model": util.model_config(lively)})
        assert _found(again) == _found(bare)


def test_the_base_is_recorded_by_name_and_hash(lively: Path, tmp_path: Path) -> None:
    nlp = _alone(lively, "adapter")
    nlp.to_disk(tmp_path / "nlp")
    meta = json.loads(
        (tmp_path / "nlp" / "cascade_extractor" / "cascade.json").read_text()
    )
    assert meta["base"]["name"] == str(lively)
    assert meta["base"]["hash"] == nlp.get_pipe("cascade_extractor").lm.fingerprint()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_fully_trained_shared_base_is_saved_with_its_owner(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(
        lively, extractor={"adapter": None}, classifier={"adapter": None}
    )
    nlp.initialize(lambda: util.examples(nlp))
    trainable = nlp.get_pipe("cascade_extractor").start_training()  # type: ignore[attr-defined]
    with torch.no_grad():
        for p in trainable.parameters.values():
            p.mul_(1.3)
    nlp.to_disk(tmp_path / "nlp")
    assert [
        str(p.relative_to(tmp_path / "nlp"))
        for p in (tmp_path / "nlp").rglob("*model.safetensors")
    ] == ["cascade_extractor/model/model.safetensors"]
    assert (
        results(spacy.load(tmp_path / "nlp"))
        == results(nlp)
        != results(util.cascade(lively))
    )


# -- Damage --------------------------------------------------------------------------


@pytest.fixture
def saved(trained: Language, tmp_path: Path) -> Path:
    trained.to_disk(tmp_path / "nlp")
    return tmp_path / "nlp"


def test_adapter_of_another_base(
    other_base: Path, lively: Path, tmp_path: Path
) -> None:
    _alone(lively, "adapter").to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["cascade_extractor"]["model"]["name"] = str(other_base)
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    with pytest.raises(CascadeError) as err:
        spacy.load(tmp_path / "nlp")
    assert code(err) == "C016"
    assert "Load the base it was trained on" in str(err.value)


@pytest.mark.parametrize(
    "missing",
    ["adapter", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"],
)
def test_missing_adapter(saved: Path, missing: str) -> None:
    target = saved / "cascade_classifier" / missing
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C013"
    assert isinstance(err.value, FileNotFoundError)


@pytest.mark.parametrize(
    "file",
    [
        "cascade_extractor/model/model.safetensors",
        "cascade_classifier/adapter/adapter_model.safetensors",
    ],
)
@pytest.mark.parametrize("damage", ["cut", "header"])
def test_damaged_weights(saved: Path, file: str, damage: str) -> None:
    data = (saved / file).read_bytes()
    (saved / file).write_bytes(
        data[: len(data) // 2] if damage == "cut" else b"garbage!" * 10
    )
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C018"


def test_adapter_of_another_shape(saved: Path, lively: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor",
        config={"model": util.model_config(lively), "adapter": {"rank": 2}},
    )
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.start_training()
    pipe.lm.save_adapter(pipe.weights.adapter, saved / "other")
    shutil.copy(
        saved / "other" / "adapter_model.safetensors",
        saved / "cascade_extractor" / "adapter" / "adapter_model.safetensors",
    )
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C013"


@pytest.mark.parametrize("stage", ["cascade_extractor", "cascade_classifier"])
def test_missing_cascade_json(saved: Path, stage: str) -> None:
    (saved / stage / "cascade.json").unlink()
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C040"
    assert "cascade.json" in str(err.value)


@pytest.mark.parametrize("content", ["{", "", "[]", "{}", "null", '{"name": "x"}'])
def test_damaged_cascade_json(saved: Path, content: str) -> None:
    (saved / "cascade_classifier" / "cascade.json").write_text(content)
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) in ("C018", "C040")


def test_missing_base_of_a_full_save(saved: Path) -> None:
    shutil.rmtree(saved / "cascade_extractor" / "model")
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C040"


@pytest.mark.parametrize("name", ["cascade_extractor", "cascade_classifier"])
def test_directory_of_the_other_stage(saved: Path, lively: Path, name: str) -> None:
    """The two stages' directories are easily mixed up in a config."""
    other = {
        "cascade_extractor": "cascade_classifier",
        "cascade_classifier": "cascade_extractor",
    }[name]
    with pytest.raises(CascadeError) as err:
        util.cascade(lively).get_pipe(name).from_disk(saved / other)  # type: ignore[attr-defined]
    assert code(err) == "C040"


def test_saved_without_weights_and_no_base_given(lively: Path, tmp_path: Path) -> None:
    _alone(lively, "adapter").to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["cascade_extractor"]["model"]["name"] = ""
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    with pytest.raises(CascadeError) as err:
        spacy.load(tmp_path / "nlp")
    assert code(err) == "C041"
    assert str(lively) in str(err.value)
    assert "adapter" in str(err.value)


def test_bytes_that_lead_out_of_the_directory(lively: Path) -> None:
    import srsly

    pipe: Any = util.cascade(lively).get_pipe("cascade_extractor")
    with pytest.raises(CascadeError) as err:
        pipe.from_bytes(srsly.msgpack_dumps({"../evil": b"x"}))
    assert code(err) == "C018"


@pytest.mark.slow
def test_a_failed_save_leaves_the_old_one(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = spacy.load(saved)
    before = results(nlp)
    pipe: Any = nlp.get_pipe("cascade_extractor")

    def full(*args: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(pipe.lm, "save", full)
    with pytest.raises(OSError, match="no space"):
        pipe.to_disk(saved / "cascade_extractor")
    assert results(spacy.load(saved)) == before
