"""Open NER in a single stage: the label set goes in, all mentions with their labels
come out (B2NER, arXiv 2406.11192).
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from spacy.tokens import Doc, Span
from spacy.training import Example

from ..contracts import ListPrompt
from ..decoding.listing import ListJob, list_mentions
from ..doc.annotations import (
    SPANS_KEY,
    at_least,
    fuse,
    labels_of,
    set_candidates,
    set_coverage,
    set_ents,
)
from ..doc.gold import known_mentions, missing_tokens, report_gold
from ..errors import Warnings
from ..prompts.labelset import LabelSet
from ..taxonomy import Taxonomy, TypePath, format_path
from ..types import ListedSpan, TokenSpan, TrainingItem
from .factories import register
from .saved import DEFAULT_TAXONOMY
from .settings import (
    NATURAL,
    SHARE,
    Setting,
    TaxonomyLike,
    flag,
    path_or_none,
    read_taxonomy,
)
from .targets import list_item
from .template import PromptSetting
from .typed import TypedPipe
from .windowed import WindowedPipe
from .windows import FAILED, PROCESSED, SPLIT, CoverageRange, Cut, Window

if TYPE_CHECKING:
    from ..models.trainable import Trainable

logger = logging.getLogger("spacy_cascade")

# A range of the coverage: its list of mentions ends early, since the model's window was full.
SHORTENED = "shortened"


class OpenMention(NamedTuple):
    """Tokens of a Doc, the probabilities of boundaries and label, and the label's path."""

    start: int
    end: int
    score: float
    label_score: float
    path: TypePath


class Listed(NamedTuple):
    """What was found in a Doc: mentions in order, and what became of its text."""

    mentions: list[OpenMention]
    coverage: list[CoverageRange]


class LabelNoise(Protocol):
    """Changes the label set in training."""

    def labels(self, names: Sequence[str], right: set[str]) -> list[int]:
        """Which labels to show, and in which order. right (set): Those of the answer."""


class _ListedWindow(NamedTuple):
    """A window to be listed. doc (int): Index of its Doc."""

    doc: int
    window: Window
    labels: LabelSet
    job: ListJob


class OpenNER(WindowedPipe, TypedPipe):
    """Lists the mentions of a text together with their labels.

    All go to `doc.spans["cascade"]`, those that do not overlap to `doc.ents`. Labels can
    be changed at any time, also for one Doc (`doc._.cascade_labels`).

    template (ListPrompt): How to ask the language model, `@prompts`.
    taxonomy (Taxonomy | list | dict): The labels, with descriptions if there are any.
    level (int): The level of the taxonomy that is asked for. 0: the deepest types.
    adapter_path (Optional[str]): Directory of a trained LoRA adapter (peft) to begin with.
    nested (bool): Whether mentions may overlap.
    min_score (float): Mentions below this probability are dropped altogether. It is that
        of the text times that of the label.
    """

    kind = "open_ner"
    template: PromptSetting[ListPrompt] = PromptSetting(ListPrompt)
    level = Setting(NATURAL, 0)
    adapter_path = Setting(path_or_none, None)
    nested = Setting(flag, False)
    min_score = Setting(SHARE, 0.0)
    # Most model tokens of a prompt with its answer, per token of the text: it stands in
    # the prompt, and its mentions with their labels in the answer.
    spread = 3

    # set by a training loop
    list_noise: LabelNoise | None = None

    # -- Labels

    def set_labels(self, labels: TaxonomyLike) -> None:
        """Change the label set: a Taxonomy, a list of names, a nested dict, or a file.

        Entities get labels in this spelling.

        RAISES CascadeError: C003 if it is empty, C004 if its form is unknown, C005 for
            names that differ in nothing but case or white space, C006 for a name that
            can't be used.
        """
        self._taxonomy = read_taxonomy(labels)
        self._show_taxonomy(self._taxonomy)
        self._own_labels = self._label_set(self._taxonomy)

    def take_taxonomy(self, saved: TaxonomyLike | None) -> None:
        self.set_labels(read_taxonomy(saved))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of entities, each once."""
        return tuple(dict.fromkeys(path[-1] for path in self._own_labels.paths))

    def _label_set(self, taxonomy: Taxonomy) -> LabelSet:
        full_paths = self.template.full_paths
        return LabelSet.build(taxonomy, level=self.level, full_paths=full_paths)

    def _labels_for(self, doc: Doc) -> LabelSet:
        taxonomy = labels_of(doc)
        return self._own_labels if taxonomy is None else self._label_set(taxonomy)

    # -- Running

    def predict(self, docs: Sequence[Doc]) -> list[Listed]:
        """Mentions and coverage of each Doc."""
        self._load_adapter()
        self.warn_unknown(labels_of(doc) or self.taxonomy for doc in docs)
        lm = self.lm
        results: list[Listed] = []
        items: list[_ListedWindow] = []
        for index, doc in enumerate(docs):
            labels = self._labels_for(doc)
            windows, coverage = self._cut(doc, labels)
            results.append(Listed([], coverage))
            for window in windows:
                job = self.template.job(lm, window.unit, labels, nested=self.nested)
                items.append(_ListedWindow(index, window, labels, job))

        with self.weights.active():
            list_mentions(lm, [item.job for item in items])

        shortened = set()
        for item in items:
            mentions, coverage = results[item.doc]
            mentions += self._mentions(item)
            if not item.job.complete:
                shortened.add(item.doc)
                _shorten(coverage, docs[item.doc][item.window.start : item.window.end])
        if shortened:
            logger.warning(Warnings.W005.format(name=self.name, n=len(shortened)))

        for mentions, _ in results:
            mentions.sort(key=lambda mention: mention[:2])
        return results

    def _mentions(self, item: _ListedWindow) -> list[OpenMention]:
        """The mentions that a window answers for."""
        window = item.window
        out = []
        for found in item.job.mentions:
            start, end = window.start + found.start, window.start + found.end
            score = found.score * found.label_score
            if window.owns(start, end) and score >= self.min_score:
                path = item.labels.paths[found.label]
                scores = found.score, found.label_score
                out.append(OpenMention(start, end, *scores, path))
        return out

    def _load_adapter(self) -> None:
        """RAISES CascadeError: C013, C018."""
        if self.adapter_path and self.weights.adapter is None:
            self.weights.begin_with(Path(self.adapter_path))

    def _cut(self, doc: Doc, labels: LabelSet) -> Cut:
        def cost(text: str) -> int:
            return max(1, self.template.cost(self.lm, text))

        return self._cut_to_fit(
            doc,
            overhead=self.template.overhead(self.lm, labels),
            spread=self.spread,
            cost=cost,
            names=labels.names,
        )

    def set_annotations(self, docs: Sequence[Doc], results: Sequence[Listed]) -> None:
        """Write candidates, entities and coverage."""
        for doc, (mentions, coverage) in zip(docs, results, strict=True):
            spans = [Span(doc, m.start, m.end, label=m.path[-1]) for m in mentions]
            if self.annotate_ents:
                scores = [m.score * m.label_score for m in mentions]
                sure = at_least(self.score_threshold, scores)
                kept = fuse((*mentions[k][:2], scores[k]) for k in sure)
                flat = [spans[sure[k]] for k in kept]
                set_ents(doc, flat, overwrite=self.overwrite_ents)

            set_candidates(
                doc,
                SPANS_KEY,
                spans,
                scores=[mention.score for mention in mentions],
                paths=[format_path(mention.path) for mention in mentions],
                path_scores=[mention.label_score for mention in mentions],
            )
            set_coverage(doc, coverage)

    def on_failure(self, doc: Doc) -> None:
        set_candidates(doc, SPANS_KEY, [], scores=[], paths=[], path_scores=[])
        set_coverage(doc, [(0, len(doc.text), FAILED)])

    # -- Training

    def begin_training(self, examples: list[Example]) -> None:
        """Report what can't be learned, and make weights trainable."""
        report_gold(examples, marks=not self.nested, taxonomy=self.taxonomy)
        self.start_training()

    def start_training(self) -> "Trainable":
        self._load_adapter()
        return super().start_training()

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        """The lists of each example's windows."""
        return [self._gold_lists(example) for example in examples]

    def _gold_lists(self, example: Example) -> list[TrainingItem]:
        gold = self._gold(example)
        missing = missing_tokens(example)
        labels = self._labels_for(example.reference)
        if self.list_noise is not None:
            labels = self._changed(labels, gold.values())

        self.learn_names(path[-1] for path in labels.paths)
        index = {path: i for i, path in enumerate(labels.paths)}
        items = []
        for window in self._cut(example.predicted, labels).windows:
            # a list says of every token whether it is in a mention, so there is none to learn
            # from where that is not known
            known = missing.isdisjoint(range(window.start, window.end))
            if window.status not in (PROCESSED, SPLIT) or not known:
                continue

            spans = []
            for (start, end), path in gold.items():
                inside = window.start <= start and end <= window.end
                if inside and path in index:
                    first, behind = start - window.start, end - window.start
                    spans.append(ListedSpan(first, behind, index[path]))
            job = self.template.job(self.lm, window.unit, labels, nested=self.nested)
            answer = self.template.answer(self.lm, job, labels, spans)
            items.append(list_item(job, answer))
        return items

    def _changed(self, labels: LabelSet, gold: Iterable[TypePath]) -> LabelSet:
        """The label set as training shows it."""
        assert self.list_noise is not None
        paths = set(gold)
        named = zip(labels.names, labels.paths, strict=True)
        right = {name for name, path in named if path in paths}
        return labels.select(self.list_noise.labels(labels.names, right))

    def _gold(self, example: Example) -> dict[TokenSpan, TypePath]:
        """Gold mentions that can be listed, each once, in the order of the text, longer
        ones first.
        """
        mentions = []
        for start, end, path in known_mentions(example, self.taxonomy):
            mentions.append((start, end, path[: self.level] if self.level else path))
        if not self.nested:
            kept = fuse((start, end, 1.0) for start, end, _ in mentions)
            mentions = [mentions[k] for k in kept]

        out: dict[TokenSpan, TypePath] = {}
        for start, end, path in sorted(mentions, key=lambda m: (m[0], -m[1])):
            out.setdefault((start, end), path)
        return out

    # -- Settings

    def on_setting(self, option: str, value: object) -> None:
        super().on_setting(option, value)
        if option == "level" and "_taxonomy" in self.__dict__:
            self._own_labels = self._label_set(self._taxonomy)


def _shorten(coverage: list[CoverageRange], window: Span) -> None:
    """Note that the list of a window ends early."""
    first, last = window.start_char, window.end_char
    for k, (start, end, _) in enumerate(coverage):
        if start < last and first < end:
            coverage[k] = (start, end, SHORTENED)


SCORE_WEIGHTS: dict[str, float | None] = {
    "cascade_typed_f": 1.0,
    "cascade_extraction_f": 0.0,
    "cascade_accuracy": 0.0,
}
register(
    OpenNER,
    template={"@prompts": "spacy-cascade.CompactOpen.v1"},
    taxonomy=DEFAULT_TAXONOMY,
    scores=SCORE_WEIGHTS,
)
