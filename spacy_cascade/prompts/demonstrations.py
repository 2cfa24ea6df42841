"""Demonstrations: texts with their mentions that are shown in the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import srsly

from ..doc.words import find_name
from ..errors import CascadeError, Errors
from ..taxonomy import TypePath, parse_path
from ..taxonomy.names import normalize_path
from .labelset import LabelSet


@dataclass(frozen=True)
class Demo:
    """A text and its (mention, label) pairs in the order of the text."""

    text: str
    mentions: tuple[tuple[str, str], ...]

    @property
    def paths(self) -> list[tuple[str, TypePath]]:
        """(mention, path of its label) for comparison."""
        return [
            (name, normalize_path(parse_path(label))) for name, label in self.mentions
        ]

    def known(self, labels: LabelSet) -> list[tuple[str, int]]:
        """(mention, index of its label) of the mentions whose label is in the set; case
        and white space don't matter.
        """
        index: dict[TypePath, int] = {}
        for i, path in enumerate(labels.paths):
            index[normalize_path(path)] = i
        for i, name in enumerate(labels.names):
            index.setdefault(normalize_path(parse_path(name)), i)
        for i, path in enumerate(labels.paths):
            index.setdefault(normalize_path(path[-1:]), i)
        found = [
            (name, index.get(normalize_path(parse_path(label))))
            for name, label in self.mentions
        ]
        return [(name, i) for name, i in found if i is not None]


def read_demos(examples: Sequence[Mapping[str, Any]] | None) -> tuple[Demo, ...]:
    """Records of the form {"text": ..., "entities": [{"name": ..., "type": ...}]};
    B2NERD's "sentence" is read, too.

    RAISES CascadeError: C051 if one has another form, or a mention that is not in its text.
    """
    out = []
    for number, record in enumerate(examples or ()):
        text = (
            record.get("text", record.get("sentence"))
            if isinstance(record, Mapping)
            else None
        )
        if not isinstance(text, str) or not text.strip():
            raise CascadeError(
                Errors.C051.format(
                    number=number, why="it has no 'text'", found=repr(record)[:80]
                )
            )
        mentions = []
        for entity in record.get("entities") or ():
            name, label = (
                (entity.get("name"), entity.get("type"))
                if isinstance(entity, Mapping)
                else (None, None)
            )
            if (
                not isinstance(name, str)
                or not isinstance(label, str)
                or not name
                or not parse_path(label)
            ):
                why = "an entity needs 'name' and 'type'"
                raise CascadeError(
                    Errors.C051.format(number=number, why=why, found=repr(entity)[:80])
                )
            if find_name(text, name) < 0:
                raise CascadeError(
                    Errors.C051.format(
                        number=number,
                        why="a mention is not in its text",
                        found=repr(name),
                    )
                )
            mentions.append((name, label))
        out.append(Demo(text, tuple(mentions)))
    return tuple(out)


def marked(text: str, names: Sequence[str], before: str, behind: str) -> str:
    """A text with each name's next occurrence between marks, as a word where there is one."""
    out, at = [], 0
    for name in names:
        start = find_name(text, name, at)
        if start >= 0:
            out += [text[at:start], before, name, behind]
            at = start + len(name)
    return "".join([*out, text[at:]])


@dataclass(frozen=True)
class Shots:
    """Which demonstrations are shown before a text.

    demos (tuple[Demo, ...]): What there is to choose from.
    number (int): How many are shown: the first ones, or with an embedder the nearest
        ones, the nearest last.
    embedder (Optional[Callable]): Texts -> unit vectors, shape (texts, dimensions).
    """

    demos: tuple[Demo, ...] = ()
    number: int = 3
    embedder: Callable[[Sequence[str]], np.ndarray] | None = field(
        default=None, compare=False
    )

    def of(self, text: str) -> tuple[Demo, ...]:
        """Those for a text, which is never shown to itself."""
        if self.embedder is None or not self.demos:
            others = (demo for demo in self.demos if demo.text != text)
            return tuple(
                demo for _, demo in zip(range(self.number), others, strict=False)
            )
        return self._nearest(text)

    @cached_property
    def longest(self) -> tuple[Demo, ...]:
        """Those that take the most room."""
        return tuple(
            sorted(self.demos, key=lambda demo: -len(demo.text))[: self.number]
        )

    @cached_property
    def _vectors(self) -> np.ndarray:
        assert self.embedder is not None
        return np.asarray(self.embedder([demo.text for demo in self.demos]))

    @cached_property
    def _nearest(self) -> Callable[[str], tuple[Demo, ...]]:
        @lru_cache(maxsize=4096)
        def nearest(text: str) -> tuple[Demo, ...]:
            assert self.embedder is not None
            likeness = self._vectors @ np.asarray(self.embedder([text]))[0]
            order = np.argsort(-likeness, kind="stable")
            found = [
                self.demos[i]
                for i in order[: self.number + 1]
                if self.demos[i].text != text
            ]
            return tuple(reversed(found[: self.number]))

        return nearest

    def __getstate__(self) -> dict[str, Any]:
        return {"demos": self.demos, "number": self.number, "embedder": self.embedder}


NO_SHOTS = Shots()


def read_shots(
    examples: list[dict[str, Any]] | str | None,
    number: int = 3,
    embedder: Callable[[Sequence[str]], np.ndarray] | None = None,
) -> Shots:
    """Demonstrations of a chat template.

    examples (Optional[list | str]): Records as `read_demos` takes them, or a file of
        them: .json, .jsonl, or .spacy with gold entities. A file has to be there
        whenever the pipeline is loaded; a list is a part of its config.
    number (int): How many are shown; three, as in the CascadeNER paper.
    embedder (Optional[Callable]): `@embedders`; with it, each text gets the examples
        that are nearest to it.
    RAISES CascadeError: C021 for a number below 1, C051 for a record or file that can't be used.
    """
    if number < 1:
        raise CascadeError(
            Errors.C021.format(option="n_examples", rule="1 or more", value=number)
        )
    if examples is None:
        return NO_SHOTS
    records = (
        list(_records(Path(examples)))
        if isinstance(examples, (str, Path))
        else examples
    )
    return Shots(read_demos(records), number, embedder)


def _records(path: Path) -> Iterator[Any]:
    """RAISES CascadeError: C051 for a file that can't be read."""
    try:
        if path.suffix == ".spacy":
            yield from _gold(path)
        else:
            yield from (
                srsly.read_jsonl(path)
                if path.suffix == ".jsonl"
                else srsly.read_json(path)
            )
    except (OSError, ValueError, TypeError, KeyError) as err:
        raise CascadeError(
            Errors.C051.format(number=0, why=err, found=f"the file '{path}'")
        ) from err


def _gold(path: Path) -> Iterator[dict[str, Any]]:
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    for doc in DocBin().from_disk(path).get_docs(Vocab()):
        group = doc.spans.get("gold")
        spans = list(doc.ents if group is None else group)
        paths = (group.attrs.get("paths") if group is not None else None) or [
            s.label_ for s in spans
        ]
        order = sorted(zip(spans, paths, strict=True), key=lambda pair: pair[0].start)
        yield {
            "text": doc.text,
            "entities": [{"name": s.text, "type": p} for s, p in order],
        }
