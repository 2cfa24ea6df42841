"""Stage 1: the language model copies the sentence and puts markers around every mention."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import minibatch

from ..decoding.automaton import Guess
from ..decoding.copy import Job, Sampling, decode
from ..decoding.drafters import CuesDrafter
from ..doc.annotations import (
    MENTION,
    SPANS_KEY,
    fuse,
    labels_of,
    placeholders,
    set_candidates,
    set_coverage,
    set_ents,
)
from ..doc.gold import flat_gold, gold_mentions, missing_tokens, report_gold
from ..doc.missing import is_annotated
from ..errors import CascadeError, Errors
from ..scoring.scorers import cascade_score
from ..taxonomy import Taxonomy
from ..types import Drafter, ExtractPrompt, TrainingItem, Unit
from .component import LM_BLOCKS, LMPipe
from .settings import (
    COUNT,
    NATURAL,
    SHARE,
    WINDOW,
    Scorer,
    Setting,
    default_config,
    flag,
    number,
    one_of,
    read_registered,
    read_taxonomy,
)
from .targets import copy_item
from .template import Frames, PromptSetting, check_contract
from .windows import FAILED, MODES, PROCESSED, SPLIT, Window, check_settings, cut

# Windows that are decoded at a time: enough to fill batches of one length, and no more
# memory for longer texts.
_JOBS = 512


class CascadeExtractor(LMPipe):
    """Finds mentions of any kind.

    All candidates go to `doc.spans["cascade"]`. Those that do not overlap go to `doc.ents`
    with the label MENTION, until a `cascade_classifier` names their type.

    model (HFSpec | SharedSpec): The language model, `@causal_lms`.
    template (ExtractPrompt): How to ask it, `@prompts`.
    taxonomy (Optional[Taxonomy | list | dict]): The types to look for. Only templates that
        name types use it, and only if the pipeline has no `cascade_classifier`. A Doc
        may bring others (`doc._.cascade_labels`).
    adapter (Optional[dict]): LoRA settings for training: rank, alpha, dropout, targets.
        None: train all weights.
    rounds (int): Number of extraction passes to merge. The first is greedy, the rest are
        sampled.
    temperature (float): Sampling temperature for passes after the first.
    open_threshold (float): A mention is opened at this probability. Less than 0.5 gives
        more recall, at almost no cost. 0: wherever a mention may be. 1: nowhere.
    window (str): How a text is cut. "sents": by sentences. "stride": by overlapping
        strides. "auto": by sentences where the Doc has them.
    max_tokens (int): Most model tokens of a window's text.
    overlap (int): Most model tokens that neighbouring strides share.
    drafter (Optional[Drafter]): Where first drafts come from, `@drafters`. It changes
        the number of passes, never the result. None: surface cues.
    annotate_ents (bool): Whether to write `doc.ents`.
    overwrite_ents (bool): Whether to replace entities of other components.
    """

    kind = "cascade_extractor"
    template: PromptSetting[ExtractPrompt] = PromptSetting(ExtractPrompt)
    rounds = Setting(COUNT, 1)
    temperature = Setting(number("above 0", lambda t: t > 0), 1.0)
    open_threshold = Setting(SHARE, 0.5)
    window = Setting(one_of(MODES), "auto")
    max_tokens = Setting(WINDOW, 256)
    overlap = Setting(NATURAL, 64)
    annotate_ents = Setting(flag, True)
    overwrite_ents = Setting(flag, False)

    def __init__(
        self,
        nlp: Language,
        name: str,
        model: object,
        template: object,
        *,
        taxonomy: object = None,
        drafter: object = None,
        scorer: Scorer | None = cascade_score,
        **settings: object,
    ):
        super().__init__(nlp, name, model, template, scorer=scorer, **settings)
        self.set_taxonomy(None if taxonomy is None else read_taxonomy(taxonomy))
        self.drafter: Drafter = CuesDrafter()
        if drafter is not None:
            self.drafter = read_registered("drafters", "drafter", name, drafter)
            check_contract(self.drafter, Drafter, "drafter", name)
        self.check_settings()
        self._frames = Frames()

    @property
    def labels(self) -> tuple[str, ...]:
        return (MENTION,)

    @property
    def taxonomy(self) -> Taxonomy | None:
        return self._taxonomy

    def set_taxonomy(
        self, taxonomy: Taxonomy | str | Path | Sequence[str] | dict[str, Any] | None
    ) -> None:
        """Change the types that are looked for where no `cascade_classifier` tells them
        (see `Taxonomy.read`); None: whatever the model finds without being told.
        """
        self._taxonomy = None if taxonomy is None else read_taxonomy(taxonomy)
        self._show_taxonomy(self._taxonomy)

    def _labels(self, doc: Doc) -> tuple[str, ...]:
        if not self.template.labels:
            return ()
        taxonomy = labels_of(doc)
        if taxonomy is None:
            # disabled components count, too: without them the same mentions should be found
            pipes: list[Any] = [
                p
                for _, p in self._nlp.components
                if getattr(p, "kind", "") == "cascade_classifier"
            ]
            taxonomy = next(
                (p.taxonomy for p in pipes if p.source == "spans"), self._taxonomy
            )
        return () if taxonomy is None else taxonomy.roots

    # -- Running

    def predict(
        self, docs: Sequence[Doc]
    ) -> list[tuple[list[tuple[int, int, float]], list[tuple[int, int, str]]]]:
        """For each Doc: candidates (start token, end token, score), and the coverage ranges."""
        cuts = [self._cut(doc, self._labels(doc)) for doc in docs]
        found: list[dict[tuple[int, int], float]] = [{} for _ in docs]
        for i, w, job, sampling in self._decoded(
            docs, [windows for windows, _ in cuts]
        ):
            spans = token_spans(job)
            if not sampling.round:
                self.drafter.learn(w.unit, [(s, e) for s, e, _ in spans])
            for s, e, score in spans:
                start, end = w.start + s, w.start + e
                if w.owns(
                    start, end
                ):  # others are left to the window that answers for them
                    found[i][start, end] = max(score, found[i].get((start, end), 0.0))
        return [
            ([(s, e, p) for (s, e), p in sorted(f.items())], ledger)
            for f, (_, ledger) in zip(found, cuts, strict=True)
        ]

    def _decoded(
        self, docs: Sequence[Doc], windows: Sequence[Sequence[Window]]
    ) -> Iterator[tuple[int, Window, Job, Sampling]]:
        """All rounds of all windows, decoded, with the index of their Doc."""
        lm = self.lm
        if lm.prefixes is not None:
            lm.prefixes.clear()
        bias = open_bias(self.open_threshold)
        samplings = [
            Sampling(bias, self.temperature if r else 0.0, r)
            for r in range(self.rounds)
        ]
        ents = [_given(doc) for doc in docs]
        keep = any(self._leads_to(p) for _, p in self._nlp.pipeline)
        every = ((i, w) for i, of_doc in enumerate(windows) for w in of_doc)
        for part in minibatch(every, size=max(1, _JOBS // self.rounds)):
            jobs = []
            for i, w in part:
                known = _known(ents[i], w)
                jobs += [
                    (
                        i,
                        w,
                        self.template.job(
                            lm, w.unit, self.drafter.guess(w.unit, known)
                        ),
                        s,
                    )
                    for s in samplings
                ]
            with self.weights.active():
                decode(
                    lm, [job for _, _, job, _ in jobs], [s for *_, s in jobs], keep=keep
                )
                recall = lm.prefixes if keep else None
            for _, w, job, s in jobs:
                if (
                    recall is not None
                    and job.kept is not None
                    and job.mentions
                    and not s.round
                ):
                    recall.keep(w.unit, job.kept)
                job.kept = None
            yield from jobs

    def _leads_to(self, pipe: Any) -> bool:
        """Whether a component goes on from this one's copies, with the same weights."""
        if getattr(pipe, "kind", "") != "cascade_classifier" or pipe.source != "spans":
            return False
        return bool(pipe.shares_weights(self)) and self._frames.agree(self, pipe)

    def _cut(
        self, doc: Doc, labels: tuple[str, ...]
    ) -> tuple[list[Window], list[tuple[int, int, str]]]:
        room = (self.lm.max_length - self.template.overhead(self.lm, labels)) // 3
        if room < 1:
            used = self.template.overhead(self.lm, labels)
            raise CascadeError(
                Errors.C050.format(
                    name=self.name, n=len(labels), found=used, limit=self.lm.max_length
                )
            )
        limit = min(self.max_tokens, room)
        overlap = min(self.overlap, limit // 2)

        def cost(text: str) -> int:
            return max(1, self.template.cost(self.lm, text) // 2)

        return cut(
            doc,
            mode=self.window,
            limit=limit,
            overlap=overlap,
            cost=cost,
            labels=labels,
        )

    def set_annotations(self, docs: Sequence[Doc], results: Sequence[Any]) -> None:
        for doc, (candidates, ledger) in zip(docs, results, strict=True):
            spans = [Span(doc, s, e, label=MENTION) for s, e, _ in candidates]
            written: list[Span] = []
            if self.annotate_ents:
                written = set_ents(
                    doc,
                    [spans[i] for i in fuse(candidates)],
                    overwrite=self.overwrite_ents,
                )
            set_candidates(
                doc,
                SPANS_KEY,
                spans,
                untyped=written,
                scores=self.calibrated([p for _, _, p in candidates]),
            )
            set_coverage(doc, ledger)

    def scored(self, examples: Sequence[Example]) -> tuple[list[float], list[bool]]:
        """Every candidate's score, and whether a gold mention has these boundaries; where
        annotation is missing, none."""
        scores, right = [], []
        for eg, (candidates, _) in zip(
            examples, self.predict([eg.predicted for eg in examples]), strict=True
        ):
            gold = {(s, e) for s, e, _ in gold_mentions(eg)}
            missing = missing_tokens(eg)
            for start, end, score in candidates:
                if missing.isdisjoint(range(start, end)):
                    scores.append(score)
                    right.append((start, end) in gold)
        return scores, right

    def on_failure(self, doc: Doc) -> None:
        set_candidates(doc, SPANS_KEY, [], scores=[])
        set_coverage(doc, [(0, len(doc.text), FAILED)])

    # -- Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]] | None = None,
        *,
        nlp: Language | None = None,
        weights: str | Path | None = None,
    ) -> None:
        """Get ready for training, or take over trained weights.

        weights (Optional[str]): Directory of a trained component of this kind (for
            `spacy assemble`).
        """
        if weights is not None:
            self.from_disk(weights, exclude=["settings"])
        elif get_examples is not None:
            examples = list(get_examples())
            report_gold(examples, marks=True)
            self.start_training()
            self.drafter.fit(
                [
                    (unit, spans)
                    for eg in examples
                    for unit, spans, missing in self._gold_units(eg)
                    if not missing
                ]
            )

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        out = []
        for example in examples:
            items = []
            for unit, spans, missing in self._gold_units(example):
                job = self.template.job(self.lm, unit, Guess(unit, spans))
                items.append(
                    copy_item(job, self.template.text_range(self.lm, job), missing)
                )
            out.append(items)
        return out

    def _gold_units(
        self, example: Example
    ) -> list[tuple[Unit, list[tuple[int, int]], set[int]]]:
        """The windows of a text with their flat gold mentions, and the tokens without annotation,
        as token indices; of a text
        without any annotation none."""
        if not is_annotated(example.reference):
            return []
        gold, missing = flat_gold(example), missing_tokens(example)
        out = []
        for w in self._cut(example.predicted, self._labels(example.reference))[0]:
            if w.status in (PROCESSED, SPLIT):
                inside = [
                    (s - w.start, e - w.start)
                    for s, e in gold
                    if s >= w.start and e <= w.end
                ]
                out.append(
                    (
                        w.unit,
                        inside,
                        {i - w.start for i in missing if w.start <= i < w.end},
                    )
                )
        return out

    # -- Saving

    def check_settings(self) -> None:
        super().check_settings()
        check_settings(self.window, self.max_tokens, self.overlap)

    def _take_taxonomy(self, saved: Any) -> None:
        self.set_taxonomy(saved)

    def _save_more(self, path: Path) -> None:
        self.drafter.to_disk(path)

    def _load_more(self, path: Path) -> None:
        self.drafter.from_disk(path)


Language.factory(
    "cascade_extractor",
    assigns=["doc.spans", "doc.ents"],
    default_config=default_config(
        CascadeExtractor,
        **LM_BLOCKS,
        template={"@prompts": "spacy-cascade.CompactExtract.v1"},
        taxonomy=None,
        drafter={"@drafters": "spacy-cascade.TaggerDrafter.v1"},
    ),
    default_score_weights={
        "cascade_extraction_f": 1.0,
        "cascade_extraction_p": 0.0,
        "cascade_extraction_r": 0.0,
    },
)(CascadeExtractor)


def _given(doc: Doc) -> list[Span]:
    """The entities of other components."""
    waiting = {(e.start, e.end) for e in placeholders(doc)}
    return [e for e in doc.ents if (e.start, e.end) not in waiting]


def _known(ents: Sequence[Span], window: Window) -> list[tuple[int, int]]:
    """What earlier components found in a window, as token indices of its unit. ents:
    Those of the Doc, in order.
    """
    inside = (
        bisect_left(ents, window.start, key=lambda e: e.start),
        bisect_right(ents, window.end, key=lambda e: e.end),
    )
    return [
        (e.start - window.start, e.end - window.start) for e in ents[slice(*inside)]
    ]


def open_bias(threshold: float) -> float:
    """What to add to the logit of opening a mention, so that it is chosen at this probability."""
    if not 0 < threshold < 1:
        return -math.inf if threshold else math.inf
    return math.log((1 - threshold) / threshold)


def token_spans(job: Job) -> list[tuple[int, int, float]]:
    """Mentions as token indices of their unit, with their scores."""
    starts = {s: i for i, (s, _) in enumerate(job.unit.tokens)}
    ends = {e: i + 1 for i, (_, e) in enumerate(job.unit.tokens)}
    return [(starts[m.start], ends[m.end], m.score) for m in job.mentions]


# Where the entry points of installs from before lead. To be removed.
make_extractor = CascadeExtractor
