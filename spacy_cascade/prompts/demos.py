"""Demonstrations: texts with their mentions that are shown in the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import CascadeError, Errors
from ..names import normalize_path
from ..taxonomy import TypePath, parse_path
from .labelset import LabelSet


@dataclass(frozen=True)
class Demo:
    """A text and its (mention, label) pairs in the order of the text."""

    text: str
    mentions: tuple[tuple[str, str], ...]

    def known(self, labels: LabelSet) -> list[tuple[str, int]]:
        """(mention, index of its label) of the mentions whose label is in the set; case and white space don't matter."""
        index: dict[TypePath, int] = {}
        for i, path in enumerate(labels.paths):
            index[normalize_path(path)] = i
        for i, name in enumerate(labels.names):
            index.setdefault(normalize_path(parse_path(name)), i)
        for i, path in enumerate(labels.paths):
            index.setdefault(normalize_path(path[-1:]), i)
        found = [(name, index.get(normalize_path(parse_path(label)))) for name, label in self.mentions]
        return [(name, i) for name, i in found if i is not None]


def read_demos(examples: Sequence[Mapping[str, Any]] | None) -> tuple[Demo, ...]:
    """Records of the form {"text": ..., "entities": [{"name": ..., "type": ...}]}; B2NERD's "sentence" is read, too.

    RAISES CascadeError: C051 if one has another form, or a mention that is not in its text.
    """
    out = []
    for number, record in enumerate(examples or ()):
        text = record.get("text", record.get("sentence")) if isinstance(record, Mapping) else None
        if not isinstance(text, str) or not text.strip():
            raise CascadeError(Errors.C051.format(number=number, why="it has no 'text'", found=repr(record)[:80]))
        mentions = []
        for entity in record.get("entities") or ():
            name, label = (entity.get("name"), entity.get("type")) if isinstance(entity, Mapping) else (None, None)
            if not isinstance(name, str) or not isinstance(label, str) or not name or not parse_path(label):
                why = "an entity needs 'name' and 'type'"
                raise CascadeError(Errors.C051.format(number=number, why=why, found=repr(entity)[:80]))
            if name not in text:
                raise CascadeError(Errors.C051.format(number=number, why="a mention is not in its text", found=repr(name)))
            mentions.append((name, label))
        out.append(Demo(text, tuple(mentions)))
    return tuple(out)
