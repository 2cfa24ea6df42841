"""Corpus reader for gold DocBins."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Corpus, Example

from ..errors import CascadeError, CascadeFileNotFoundError, Errors, Warnings
from ..registry import readers
from .codecs import Codecs
from .gold import gold_spans
from .missing import GOLD_KEY, is_annotated, name_groups, other_groups, take_spans

logger = logging.getLogger("spacy_cascade")

Augmenter = Callable[[Language, Example], Iterable[Example]]
# What was read inside of `read_once`, by pipeline and settings. It is that of this thread:
# two may initialize a pipeline each.
_Known = dict[tuple[object, ...], list[Example]]
_known: ContextVar[_Known | None] = ContextVar("_known", default=None)


class GoldSpans:
    """Where the gold mentions of a file's Docs stand, and which spans are left aside.

    path (Path): The file, for messages.
    key (str): The group that is gold. "": gold spans or entities.
    remedy (str): How the user names that group.
    """

    def __init__(self, path: Path | str, key: str, remedy: str):
        self.path = path
        self.key = key
        self.remedy = remedy
        self.others: Counter[str] = Counter()
        self._docs = 0
        self._found = 0

    def read(self, doc: Doc) -> Doc:
        """The Doc, with the group as its gold annotation."""
        self._docs += 1
        self._found += self.key in doc.spans
        self.others += other_groups([doc], read=self.key)
        if self.key:
            take_spans(doc, self.key)
        return doc

    def report(self) -> None:
        """Warn of groups that are not read.

        RAISES CascadeError: C031 if no Doc has the group that is gold.
        """
        if self.key and self._docs and not self._found:
            others = name_groups(self.others) or "none"
            why = (
                f"no document has doc.spans['{self.key}']; groups that are there:"
                f" {others}"
            )
            raise _unreadable(self.path, why, name="gold spans")

        if self.others:
            groups = name_groups(self.others)
            remedy = f"{self.remedy}."
            warning = Warnings.W017.format(path=self.path, groups=groups, remedy=remedy)
            logger.warning(warning)


def _unreadable(
    path: Path | str, why: str, *, name: str = "the corpus"
) -> CascadeError:
    return CascadeError(Errors.C031.format(path=path, name=name, why=why))


@contextmanager
def read_once() -> Iterator[None]:
    """Inside this context a corpus is read from disk once for each pipeline.

    It is kept in memory then. spaCy's initialization would read it again for every
    component. A corpus with an augmenter is always read anew.
    """
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


@readers("spacy-cascade.Corpus.v1")
def create_corpus(
    path: Path | None,
    limit: int = 0,
    augmenter: Augmenter | None = None,
    paths: bool = False,
    spans_key: str = "",
) -> Callable[[Language], Iterable[Example]]:
    """Like `spacy.Corpus.v1`, with checks: a wrong file is an error that says so.

    path (Path): A .spacy file or a directory of them.
    limit (int): Most documents. 0: all.
    augmenter (Optional[Callable]): Makes further examples of each.
    paths (bool): Label `doc.ents` and `doc.spans["gold"]` with whole paths ('location >
        city'), for components such as `ner` that know labels only. So their results can
        be scored at every level.
    spans_key (str): Take the mentions of `doc.spans[spans_key]`, such as spancat's "sc",
        as gold. "": gold spans or entities.
    RETURNS (Callable): Language -> Examples.
    RAISES CascadeError: C031 when read, if the path is missing or no DocBin with gold
        mentions.
    """
    if path is None:
        why = "no path is given ([paths] in the config)"
        raise _unreadable("None", why)
    return GoldCorpus(path, limit, augmenter, paths, spans_key)


@dataclass(frozen=True)
class GoldCorpus:
    """Reads the Examples of gold DocBins. See `create_corpus`."""

    path: Path
    limit: int
    augmenter: Augmenter | None
    paths: bool
    spans_key: str

    def __call__(self, nlp: Language) -> Iterator[Example]:
        known = _known.get()
        if known is None or self.augmenter is not None:
            yield from self._read(nlp)
            return

        key = (Path(self.path), self.limit, self.paths, self.spans_key, id(nlp))
        if key not in known:
            known[key] = list(self._read(nlp))
        yield from known[key]

    def _read(self, nlp: Language) -> Iterator[Example]:
        """Read from disk, and check what is read."""
        if not Path(self.path).exists():
            message = Errors.C031.format(
                path=self.path, name="the corpus", why="there is no such file"
            )
            raise CascadeFileNotFoundError(message)

        remedy = 'Name the gold ones with spans_key = "..." in [corpora]'
        gold = GoldSpans(self.path, self.spans_key, remedy)
        annotated = 0
        seen = 0
        try:
            for example in self._read_docbins(nlp, gold):
                seen += 1
                reference = example.reference
                annotated += bool(reference.ents or reference.spans.get(GOLD_KEY))
                if self.paths:
                    _label_with_paths(reference)
                yield example
        except (ValueError, KeyError, OSError, EOFError) as err:
            if isinstance(err, CascadeError) or seen:
                raise
            raise _unreadable(self.path, f"it can't be read ({err})") from err

        if not annotated:
            why = f"none of its {seen} documents has an entity"
            if gold.others:
                groups = name_groups(gold.others)
                why += f"; spans stand in {groups}, which spans_key takes"
            raise _unreadable(self.path, why)
        gold.report()

    def _read_docbins(self, nlp: Language, gold: GoldSpans) -> Iterator[Example]:
        """The Examples, with what is gold as their annotation."""

        def augmented(nlp: Language, example: Example) -> Iterable[Example]:
            gold.read(example.reference)
            if self.augmenter is None:
                return [example]
            return self.augmenter(nlp, example)

        with Codecs():
            corpus = Corpus(self.path, limit=self.limit, augmenter=augmented)
            yield from corpus(nlp)


def _label_with_paths(doc: Doc) -> None:
    """Label entities and gold spans with whole paths, in place."""
    if not is_annotated(doc):
        return

    spans = []
    for span, path in zip(*gold_spans(doc), strict=True):
        spans.append(Span(doc, span.start, span.end, label=path))
    known = {(span.start, span.end): span for span in spans}
    ents = [known.get((ent.start, ent.end), ent) for ent in doc.ents]
    doc.set_ents(ents, default="unmodified")
    doc.spans[GOLD_KEY] = SpanGroup(
        doc,
        name=GOLD_KEY,
        attrs={"paths": [span.label_ for span in spans]},
        spans=spans,
    )
