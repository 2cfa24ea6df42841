"""Open NER in a single stage: the label set goes in, all mentions with their labels
come out (B2NER, arXiv 2406.11192).
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..decoding.listing import ListJob, list_mentions
from ..doc.annotations import (
    SPANS_KEY,
    fuse,
    labels_of,
    set_candidates,
    set_coverage,
    set_ents,
)
from ..doc.gold import known_mentions, missing_tokens, report_gold
from ..errors import CascadeError, Errors, Warnings
from ..prompts.labelset import LabelSet
from ..scoring.scorers import cascade_score
from ..taxonomy import Taxonomy, TypePath, format_path
from ..types import LabeledSpan, ListPrompt, TrainingItem
from .component import LM_BLOCKS, LMPipe
from .saved import DEFAULT_TAXONOMY
from .settings import (
    NATURAL,
    SHARE,
    WINDOW,
    Scorer,
    Setting,
    default_config,
    flag,
    one_of,
    path_or_none,
    read_taxonomy,
)
from .targets import list_item
from .template import PromptSetting
from .windows import FAILED, MODES, PROCESSED, SPLIT, Window, check_settings, cut

logger = logging.getLogger("spacy_cascade")

# A range of the coverage: its list of mentions ends early, since the model's window was full.
SHORTENED = "shortened"
# (start token, end token, boundary score, label score, label path)
OpenMention = tuple[int, int, float, float, TypePath]


class OpenNER(LMPipe):
    """Lists the mentions of a text together with their labels.

    All go to `doc.spans["cascade"]`, those that do not overlap to `doc.ents`. Labels can
    be changed at any time, also for one Doc (`doc._.cascade_labels`).

    model (HFSpec | SharedSpec): The language model, `@causal_lms`.
    template (ListPrompt): How to ask it, `@prompts`.
    taxonomy (Taxonomy | list | dict): The labels, with descriptions if there are any.
    level (int): The level of the taxonomy that is asked for. 0: the deepest types.
    adapter (Optional[dict]): LoRA settings for training: rank, alpha, dropout, targets.
        None: train all weights.
    adapter_path (Optional[str]): Directory of a trained LoRA adapter (peft) to begin with.
    nested (bool): Whether mentions may overlap.
    min_score (float): Mentions below this probability are dropped. It is that of the text
        times that of the label.
    window (str): How a text is cut. "sents": by sentences. "stride": by overlapping
        strides. "auto": by sentences where the Doc has them.
    max_tokens (int): Most model tokens of a window's text.
    overlap (int): Most model tokens that neighbouring strides share.
    annotate_ents (bool): Whether to write `doc.ents`.
    overwrite_ents (bool): Whether to replace entities of other components.
    """

    kind = "open_ner"
    template: PromptSetting[ListPrompt] = PromptSetting(ListPrompt)
    level = Setting(NATURAL, 0)
    adapter_path = Setting(path_or_none, None)
    nested = Setting(flag, False)
    min_score = Setting(SHARE, 0.0)
    window = Setting(one_of(MODES), "auto")
    max_tokens = Setting(WINDOW, 256)
    overlap = Setting(NATURAL, 64)
    annotate_ents = Setting(flag, True)
    overwrite_ents = Setting(flag, False)
    # Most model tokens of a prompt with its answer, per token of the text: it stands in
    # the prompt, and its mentions with their labels in the answer.
    spread = 3

    def __init__(
        self,
        nlp: Language,
        name: str,
        model: object,
        template: object,
        *,
        taxonomy: object = None,
        scorer: Scorer | None = cascade_score,
        **settings: object,
    ):
        super().__init__(nlp, name, model, template, scorer=scorer, **settings)
        # set by a training loop: changes the label set
        self.list_noise: Any = None
        self.set_labels(read_taxonomy("dynamicner" if taxonomy is None else taxonomy))
        self.check_settings()

    # -- Labels

    @property
    def taxonomy(self) -> Taxonomy:
        return self._taxonomy

    def set_labels(
        self, labels: Taxonomy | str | Path | Sequence[str] | dict[str, Any]
    ) -> None:
        """Change the label set: a Taxonomy, a list of names, a nested dict, or a file.

        Entities get labels in this spelling.

        RAISES CascadeError: C003 if it is empty, C004 if its form is unknown, C005 for
            names that differ in nothing but case or white space, C006 for a name that
            can't be used.
        """
        self._taxonomy = read_taxonomy(labels)
        self._show_taxonomy(self._taxonomy)
        self._own_labels = self._label_set(self._taxonomy)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of entities, each once."""
        return tuple(dict.fromkeys(path[-1] for path in self._own_labels.paths))

    @property
    def label_data(self) -> dict[str, Any]:
        return self.taxonomy.to_dict()

    def _label_set(self, taxonomy: Taxonomy) -> LabelSet:
        return LabelSet.build(
            taxonomy, level=self.level, full_paths=self.template.full_paths
        )

    def _labels_for(self, doc: Doc) -> LabelSet:
        taxonomy = labels_of(doc)
        return self._own_labels if taxonomy is None else self._label_set(taxonomy)

    # -- Running

    def predict(
        self, docs: Sequence[Doc]
    ) -> list[tuple[list[OpenMention], list[tuple[int, int, str]]]]:
        """For each Doc: its mentions, and the coverage ranges."""
        self._load_adapter()
        lm = self.lm
        out: list[tuple[list[OpenMention], list[tuple[int, int, str]]]] = []
        jobs: list[tuple[int, Window, LabelSet, ListJob]] = []
        for i, doc in enumerate(docs):
            labels = self._labels_for(doc)
            windows, ledger = self._cut(doc, labels)
            out.append(([], ledger))
            jobs += [
                (
                    i,
                    w,
                    labels,
                    self.template.job(lm, w.unit, labels, nested=self.nested),
                )
                for w in windows
            ]
        with self.weights.active():
            list_mentions(lm, [job for *_, job in jobs])
        shortened = set()
        for i, w, labels, job in jobs:
            mentions, ledger = out[i]
            for m in job.mentions:
                start, end = w.start + m.start, w.start + m.end
                if w.owns(start, end) and m.score * m.label_score >= self.min_score:
                    mentions.append(
                        (start, end, m.score, m.label_score, labels.paths[m.label])
                    )
            if not job.complete:
                shortened.add(i)
                first, last = (
                    docs[i][w.start].idx,
                    docs[i][w.end - 1].idx + len(docs[i][w.end - 1]),
                )
                ledger[:] = [
                    (s, e, SHORTENED if s < last and first < e else status)
                    for s, e, status in ledger
                ]
        if shortened:
            logger.warning(Warnings.W005.format(name=self.name, n=len(shortened)))
        for mentions, _ in out:
            mentions.sort(key=lambda m: m[:2])
        return out

    def _load_adapter(self) -> None:
        """RAISES CascadeError: C013, C018."""
        if self.adapter_path and self.weights.adapter is None:
            self.weights.begin_with(Path(self.adapter_path))

    def _cut(
        self, doc: Doc, labels: LabelSet
    ) -> tuple[list[Window], list[tuple[int, int, str]]]:
        lm = self.lm
        used = self.template.overhead(lm, labels)
        room = (lm.max_length - used) // self.spread
        if room < 1:
            raise CascadeError(
                Errors.C050.format(
                    name=self.name, n=len(labels.names), found=used, limit=lm.max_length
                )
            )
        limit = min(self.max_tokens, room)

        def cost(text: str) -> int:
            return max(1, self.template.cost(lm, text))

        return cut(
            doc,
            mode=self.window,
            limit=limit,
            overlap=min(self.overlap, limit // 2),
            cost=cost,
        )

    def set_annotations(self, docs: Sequence[Doc], results: Sequence[Any]) -> None:
        for doc, (mentions, ledger) in zip(docs, results, strict=True):
            spans = [
                Span(doc, start, end, label=path[-1])
                for start, end, *_, path in mentions
            ]
            if self.annotate_ents:
                kept = fuse((s, e, p * q) for s, e, p, q, _ in mentions)
                set_ents(doc, [spans[i] for i in kept], overwrite=self.overwrite_ents)
            set_candidates(
                doc,
                SPANS_KEY,
                spans,
                scores=[m[2] for m in mentions],
                paths=[format_path(m[4]) for m in mentions],
                path_scores=[m[3] for m in mentions],
            )
            set_coverage(doc, ledger)

    def on_failure(self, doc: Doc) -> None:
        set_candidates(doc, SPANS_KEY, [], scores=[], paths=[], path_scores=[])
        set_coverage(doc, [(0, len(doc.text), FAILED)])

    # -- Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]] | None = None,
        *,
        nlp: Language | None = None,
        weights: str | Path | None = None,
        taxonomy: dict[str, Any] | list[str] | str | None = None,
    ) -> None:
        """Get ready for training, or take over trained weights.

        weights (Optional[str]): Directory of a trained component of this kind (for
            `spacy assemble`).
        taxonomy: Replaces the configured one.
        """
        if weights is not None:
            self.from_disk(weights, exclude=["settings"])
        if taxonomy is not None:
            self.set_labels(taxonomy)
        if weights is None and get_examples is not None:
            report_gold(get_examples(), marks=not self.nested, taxonomy=self.taxonomy)
            self.start_training()

    def start_training(self) -> Any:
        self._load_adapter()
        return super().start_training()

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        out = []
        for example in examples:
            labels = self._labels_for(example.reference)
            gold = self._gold(example)
            missing = missing_tokens(example)
            if self.list_noise is not None:
                right = {
                    name
                    for name, path in zip(labels.names, labels.paths, strict=True)
                    if path in gold.values()
                }
                labels = labels.select(self.list_noise.labels(labels.names, right))
            index = {path: i for i, path in enumerate(labels.paths)}
            items = []
            for w in self._cut(example.predicted, labels)[0]:
                # a list says of every token whether it is in a mention, so there is none to learn
                # from where that is not known
                if w.status not in (PROCESSED, SPLIT) or not missing.isdisjoint(
                    range(w.start, w.end)
                ):
                    continue
                spans = [
                    LabeledSpan(s - w.start, e - w.start, index[path])
                    for (s, e), path in gold.items()
                    if w.start <= s and e <= w.end and path in index
                ]
                job = self.template.job(self.lm, w.unit, labels, nested=self.nested)
                items.append(
                    list_item(job, self.template.answer(self.lm, job, labels, spans))
                )
            out.append(items)
        return out

    def _gold(self, example: Example) -> dict[tuple[int, int], TypePath]:
        """Gold mentions that can be listed, in the order of the text, longer ones
        first; each once.
        """
        known = known_mentions(example, self.taxonomy)
        spans = [
            (s, e, path[: self.level] if self.level else path) for s, e, path in known
        ]
        if not self.nested:
            spans = [spans[i] for i in fuse((s, e, 1.0) for s, e, _ in spans)]
        out: dict[tuple[int, int], TypePath] = {}
        for s, e, path in sorted(spans, key=lambda m: (m[0], -m[1])):
            out.setdefault((s, e), path)
        return out

    # -- Saving

    def check_settings(self) -> None:
        super().check_settings()
        check_settings(self.window, self.max_tokens, self.overlap)

    def on_setting(self, option: str, value: Any) -> None:
        super().on_setting(option, value)
        if option == "level" and "_taxonomy" in self.__dict__:
            self._own_labels = self._label_set(self._taxonomy)

    def _take_taxonomy(self, saved: Any) -> None:
        self.set_labels(saved)


TEMPLATE = {"@prompts": "spacy-cascade.CompactOpen.v1"}
SCORE_WEIGHTS: dict[str, float | None] = {
    "cascade_typed_f": 1.0,
    "cascade_extraction_f": 0.0,
    "cascade_accuracy": 0.0,
}
Language.factory(
    "open_ner",
    assigns=["doc.ents", "doc.spans"],
    default_config=default_config(
        OpenNER, **LM_BLOCKS, template=TEMPLATE, taxonomy=DEFAULT_TAXONOMY
    ),
    default_score_weights=SCORE_WEIGHTS,
)(OpenNER)


# Where the entry points of installs from before lead. To be removed.
make_open_ner = OpenNER
