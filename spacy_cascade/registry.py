"""The project's own registries, beside spaCy's.

Each is open to other packages through entry points `spacy_<name>`.

`causal_lms`      -> language model specs        `prompts`         -> prompt templates
`taxonomies`      -> type trees                  `training_loops`  -> fine-tuning loops
`drafters`        -> first drafts of marked copies
`embedders`       -> text embeddings
`augmenters` (spaCy's own) -> data augmentation
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Protocol, TypeVar

import catalogue
from spacy.util import registry

T = TypeVar("T")

_OWN = (
    "causal_lms",
    "drafters",
    "embedders",
    "prompts",
    "taxonomies",
    "training_loops",
)

for _name in _OWN:
    if not hasattr(registry, _name):
        setattr(registry, _name, catalogue.create("spacy", _name, entry_points=True))


class Table(Protocol):
    """One registry, as catalogue makes it."""

    def __call__(self, name: str, /) -> Callable[[T], T]:
        """Register what is decorated under this name."""

    def get(self, name: str) -> Callable[..., object]: ...

    def get_all(self) -> dict[str, Callable[..., object]]: ...

    def __contains__(self, name: object) -> bool: ...


def _table(name: str) -> Table:
    found: Table = getattr(registry, name)
    return found


causal_lms = _table("causal_lms")
drafters = _table("drafters")
embedders = _table("embedders")
prompts = _table("prompts")
taxonomies = _table("taxonomies")
training_loops = _table("training_loops")
# spaCy's own
augmenters = _table("augmenters")
readers = _table("readers")
scorers = _table("scorers")
tokenizers = _table("tokenizers")

__all__ = [
    "augmenters",
    "causal_lms",
    "drafters",
    "embedders",
    "missing_members",
    "prompts",
    "readers",
    "registry",
    "scorers",
    "taxonomies",
    "tokenizers",
    "training_loops",
]


def missing_members(value: object, contract: type) -> list[str]:
    """Members of a Protocol that a value lacks, in the order of the Protocol.

    A method that can't be called with the arguments of the Protocol counts as missing.

    contract (type): A Protocol of `types`.
    """
    declared: dict[str, object] = {}
    for base in reversed(contract.__mro__):
        if getattr(base, "_is_protocol", False):
            declared.update(getattr(base, "__annotations__", {}))
            declared.update(vars(base))

    names = [name for name in declared if not name.startswith("_")]
    return [name for name in names if not _fits(value, name, declared[name])]


def _fits(value: object, name: str, declared: object) -> bool:
    if not hasattr(value, name):
        return False
    if not inspect.isfunction(declared):
        return True

    positional: list[None] = []
    named: dict[str, None] = {}
    _, *parameters = inspect.signature(declared).parameters.values()
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = None
        else:
            positional.append(None)

    try:
        inspect.signature(getattr(value, name)).bind(*positional, **named)
    except TypeError:  # not callable, or with other arguments
        return False
    except ValueError:  # it is built in and does not tell
        return True
    return True
