"""Registering the classes of components as factories of spaCy."""

from __future__ import annotations

from spacy.language import Language

from .component import LMPipe
from .settings import Block, factory_settings

# Blocks that the default configs of all factories have in common.
LM_BLOCKS: Block = {
    "model": {"@causal_lms": "spacy-cascade.HF.v1", "name": ""},
    "adapter": {"rank": 16, "alpha": 32, "dropout": 0.0},
    "scorer": {"@scorers": "spacy-cascade.CascadeScorer.v1"},
}
# Options that a config begins and ends with.
_FIRST = ("model", "template", "taxonomy", "adapter")
_LAST = ("save_weights", "scorer")


def register(
    component: type[LMPipe], *, scores: dict[str, float | None], **blocks: object
) -> None:
    """Make a component's class the factory of its name.

    scores (dict): Weights of the scores that training looks at.
    blocks (object): Defaults that are registered objects, as blocks of a config.
    """
    Language.factory(
        component.kind,
        assigns=["doc.ents", "doc.spans"],
        default_config=default_config(component, **{**LM_BLOCKS, **blocks}),
        default_score_weights=scores,
    )(component)


def default_config(kind: type, **blocks: object) -> Block:
    """The default config of a factory.

    kind (type): The component's class, whose settings have defaults of their own.
    blocks (object): What else there is, and defaults that a config writes otherwise:
        registered objects, as blocks.
    """
    settings = factory_settings(kind)
    config = {option: setting.default for option, setting in settings.items()} | blocks
    for option in getattr(kind, "unused_options", ()):
        config.pop(option, None)
    middle = [option for option in config if option not in (*_FIRST, *_LAST)]
    order = [*_FIRST, *middle, *_LAST]
    return {option: config[option] for option in order if option in config}
