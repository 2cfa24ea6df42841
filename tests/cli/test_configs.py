"""The configs can be filled, checked and assembled."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import spacy

from tests.cli.util import CONFIGS, call


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
