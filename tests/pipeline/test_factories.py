"""The classes of components are their factories: an option is declared once."""

from __future__ import annotations

import inspect

import pytest
from spacy.language import Language

from spacy_cascade.baselines.components import GPTNER, PromptNER
from spacy_cascade.pipeline.classifier import CascadeClassifier
from spacy_cascade.pipeline.component import LMPipe
from spacy_cascade.pipeline.extractor import CascadeExtractor
from spacy_cascade.pipeline.open_ner import OpenNER
from spacy_cascade.pipeline.settings import settings_of

from .. import util

COMPONENTS = [CascadeExtractor, CascadeClassifier, OpenNER, GPTNER, PromptNER]


@pytest.mark.parametrize("component", COMPONENTS)
def test_config_and_signature_have_the_same_options(component: type[LMPipe]) -> None:
    util.blank().add_pipe(component.kind)
    config = Language.get_factory_meta(component.kind).default_config
    arguments = set(inspect.signature(component).parameters)
    assert arguments - {"nlp", "name"} == set(config)


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_setting_is_an_option(component: type[LMPipe]) -> None:
    arguments = inspect.signature(component).parameters
    for option, setting in settings_of(component).items():
        if option in component.unused_options:
            assert option not in arguments
        else:
            assert arguments[option].default == setting.default


def test_options_that_there_are_not_are_refused() -> None:
    nlp = util.blank()
    with pytest.raises(TypeError, match="no_such_option"):
        CascadeExtractor(nlp, "x", "", None, no_such_option=1)
    with pytest.raises(TypeError, match="adapter"):
        GPTNER(nlp, "x", "", "GPTNER.v1", adapter={"rank": 2})
