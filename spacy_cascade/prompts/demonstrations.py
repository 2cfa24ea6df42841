"""Demonstrations: texts with their mentions that are shown in the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import srsly
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from ..doc.words import find_name
from ..errors import CascadeError, Errors
from ..taxonomy import TypePath, parse_path
from ..taxonomy.names import normalize_path
from .labelset import LabelSet

# Records, see `read_demos`, or the path of a file of them.
Examples = list[dict[str, object]] | str | None
# Texts -> unit vectors. (texts, dimensions)
Embedder = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Demo:
    """A text and its (mention, label) pairs in the order of the text."""

    text: str
    mentions: tuple[tuple[str, str], ...]

    @property
    def paths(self) -> list[tuple[str, TypePath]]:
        """(mention, path of its label) for comparison."""
        return [(name, _normalized(label)) for name, label in self.mentions]

    def known(self, labels: LabelSet) -> list[tuple[str, int]]:
        """(mention, index of its label) of the mentions whose label is in the set; case
        and white space don't matter.
        """
        index: dict[TypePath, int] = {}
        for i, path in enumerate(labels.paths):
            index[normalize_path(path)] = i
        for i, name in enumerate(labels.names):
            index.setdefault(_normalized(name), i)
        for i, path in enumerate(labels.paths):
            index.setdefault(normalize_path(path[-1:]), i)

        found: list[tuple[str, int]] = []
        for name, label in self.mentions:
            path = _normalized(label)
            if path in index:
                found.append((name, index[path]))
        return found


def _normalized(label: str) -> TypePath:
    return normalize_path(parse_path(label))


def read_demos(examples: Iterable[object] | None) -> tuple[Demo, ...]:
    """Read demonstrations from records.

    examples (Optional[Iterable]): Records of the form {"text": ..., "entities":
        [{"name": ..., "type": ...}]}. B2NERD's "sentence" is read, too.
    RAISES CascadeError: C051 if one has another form, or a mention that is not in its
        text.
    """
    return tuple(
        _read_demo(number, record) for number, record in enumerate(examples or ())
    )


def _read_demo(number: int, record: object) -> Demo:
    fields = record if isinstance(record, Mapping) else {}
    text = fields.get("text", fields.get("sentence"))
    if not isinstance(text, str) or not text.strip():
        raise unusable(number, "it has no 'text'", record)

    entities = fields.get("entities") or ()
    mentions = [_read_mention(number, text, entity) for entity in entities]
    return Demo(text, tuple(mentions))


def _read_mention(number: int, text: str, entity: object) -> tuple[str, str]:
    """A mention and its label. number (int): That of the record, for the message."""
    fields = entity if isinstance(entity, Mapping) else {}
    name, label = fields.get("name"), fields.get("type")
    if not isinstance(name, str) or not isinstance(label, str):
        raise unusable(number, "an entity needs 'name' and 'type'", entity)
    if not name or not parse_path(label):
        raise unusable(number, "an entity needs 'name' and 'type'", entity)
    if find_name(text, name) < 0:
        raise CascadeError(
            Errors.C051.format(
                number=number, why="a mention is not in its text", found=repr(name)
            )
        )
    return name, label


def unusable(number: int, why: str, found: object) -> CascadeError:
    """C051 for a record of the examples, or for a part of it."""
    message = Errors.C051.format(number=number, why=why, found=repr(found)[:80])
    return CascadeError(message)


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
    number (int): How many are shown.
    embedder (Optional[Callable]): Texts -> unit vectors. With it, the demonstrations
        nearest to the text are shown, the nearest last; else the first ones.
    """

    demos: tuple[Demo, ...] = ()
    number: int = 3
    embedder: Embedder | None = field(default=None, compare=False)

    def of(self, text: str) -> tuple[Demo, ...]:
        """Those for a text, which is never shown to itself."""
        if self.embedder is not None and self.demos:
            return self._nearest(text)
        others = [demo for demo in self.demos if demo.text != text]
        return tuple(others[: self.number])

    @cached_property
    def longest(self) -> tuple[Demo, ...]:
        """Those that take the most room."""
        by_length = sorted(self.demos, key=lambda demo: -len(demo.text))
        return tuple(by_length[: self.number])

    @cached_property
    def _vectors(self) -> np.ndarray:  # (demos, dimensions)
        assert self.embedder is not None
        return np.asarray(self.embedder([demo.text for demo in self.demos]))

    @cached_property
    def _nearest(self) -> Callable[[str], tuple[Demo, ...]]:
        @lru_cache(maxsize=4096)
        def nearest(text: str) -> tuple[Demo, ...]:
            assert self.embedder is not None
            (vector,) = np.asarray(self.embedder([text]))
            likeness = self._vectors @ vector
            order = np.argsort(-likeness, kind="stable")
            # one more than are shown, since the text may be among them
            best = [self.demos[i] for i in order[: self.number + 1]]
            others = [demo for demo in best if demo.text != text]
            return tuple(reversed(others[: self.number]))

        return nearest

    def __getstate__(self) -> dict[str, object]:
        # without what was made of them
        return {"demos": self.demos, "number": self.number, "embedder": self.embedder}


NO_SHOTS = Shots()


def read_shots(
    examples: Examples, number: int = 3, embedder: Embedder | None = None
) -> Shots:
    """Demonstrations of a chat template.

    examples (Optional[list | str]): Records as `read_demos` takes them, or a file of
        them: .json, .jsonl, or .spacy with gold entities. A file has to be there
        whenever the pipeline is loaded; a list is a part of its config.
    number (int): How many are shown; three, as in the CascadeNER paper.
    embedder (Optional[Callable]): `@embedders`. With it, each text gets the examples
        that are nearest to it.
    RAISES CascadeError: C021 for a number below 1, C051 for a record or file that can't
        be used.
    """
    if number < 1:
        raise CascadeError(
            Errors.C021.format(option="n_examples", rule="1 or more", value=number)
        )
    if examples is None:
        return NO_SHOTS

    if isinstance(examples, (str, Path)):
        records: list[object] = list(_records(Path(examples)))
    else:
        records = list(examples)
    return Shots(read_demos(records), number, embedder)


def _records(path: Path) -> Iterator[object]:
    """RAISES CascadeError: C051 for a file that can't be read."""
    try:
        if path.suffix == ".spacy":
            yield from _gold(path)
        elif path.suffix == ".jsonl":
            yield from srsly.read_jsonl(path)
        else:
            yield from srsly.read_json(path)
    except (OSError, ValueError, TypeError, KeyError) as err:
        raise CascadeError(
            Errors.C051.format(number=0, why=err, found=f"the file '{path}'")
        ) from err


def _gold(path: Path) -> Iterator[dict[str, object]]:
    """Records of the gold entities in a DocBin, in the order of their texts."""
    for doc in DocBin().from_disk(path).get_docs(Vocab()):
        group = doc.spans.get("gold")
        spans = list(doc.ents if group is None else group)
        labels = [span.label_ for span in spans]
        if group is not None:
            labels = group.attrs.get("paths") or labels

        pairs = list(zip(spans, labels, strict=True))
        pairs.sort(key=lambda pair: pair[0].start)
        entities = [{"name": span.text, "type": label} for span, label in pairs]
        yield {"text": doc.text, "entities": entities}
