"""Stage 1: the language model copies the sentence and puts markers around every mention."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeGuard

from spacy.tokens import Doc, Span
from spacy.training import Example

from ..contracts import Drafter, ExtractPrompt
from ..decoding.automaton import Guess
from ..decoding.copy import decode
from ..decoding.drafters import CuesDrafter
from ..doc.annotations import (
    MENTION,
    SPANS_KEY,
    at_least,
    fuse,
    labels_of,
    placeholders,
    set_candidates,
    set_coverage,
    set_ents,
)
from ..doc.gold import flat_gold, gold_mentions, missing_tokens, report_gold
from ..doc.missing import is_annotated
from ..taxonomy import Taxonomy
from ..types import Candidate, TokenSpan, TrainingItem, Unit
from .classifier import CascadeClassifier
from .component import batched
from .copies import WindowJob, hand_on, samplings, token_spans
from .factories import register
from .settings import (
    COUNT,
    SHARE,
    Setting,
    TaxonomyLike,
    number,
    read_registered,
    read_taxonomy,
)
from .targets import copy_item
from .template import Frames, PromptSetting, check_contract
from .windowed import WindowedPipe
from .windows import FAILED, PROCESSED, SPLIT, CoverageRange, Cut, Window

# Windows that are decoded at a time: enough to fill batches of one length, and no more
# memory for longer texts.
_JOBS = 512


class Extracted(NamedTuple):
    """What was found in a Doc: candidates in order, and what became of its text."""

    candidates: list[Candidate]
    coverage: list[CoverageRange]


class _GoldUnit(NamedTuple):
    """A window with its flat gold mentions, and the tokens without annotation."""

    unit: Unit
    mentions: list[TokenSpan]
    missing: set[int]


class CascadeExtractor(WindowedPipe):
    """Finds mentions of any kind.

    All candidates go to `doc.spans["cascade"]`. Those that do not overlap go to `doc.ents`
    with the label MENTION, until a `cascade_classifier` names their type.

    template (ExtractPrompt): How to ask the language model, `@prompts`.
    taxonomy (Optional[Taxonomy | list | dict]): The types to look for. Only templates that
        name types use it, and only if the pipeline has no `cascade_classifier`. A Doc
        may bring others (`doc._.cascade_labels`).
    rounds (int): Number of extraction passes to merge. The first is greedy, the rest are
        sampled.
    temperature (float): Sampling temperature for passes after the first.
    open_threshold (float): A mention is opened at this probability. Less than 0.5 gives
        more recall and less precision, in the same time. 0: wherever a mention may be. 1: nowhere.
    drafter (Optional[Drafter]): Where first drafts come from, `@drafters`. It changes
        the number of passes, never the result. None: surface cues.
    """

    kind = "cascade_extractor"
    template: PromptSetting[ExtractPrompt] = PromptSetting(ExtractPrompt)
    rounds = Setting(COUNT, 1)
    temperature = Setting(number("above 0", lambda t: t > 0), 1.0)
    open_threshold = Setting(SHARE, 0.5)

    def __init__(self, *asked: object, drafter: object = None, **options: object):
        super().__init__(*asked, **options)  # type: ignore[arg-type]
        self.drafter: Drafter = CuesDrafter()
        if drafter is not None:
            self.drafter = read_registered("drafters", "drafter", self.name, drafter)
            check_contract(self.drafter, Drafter, "drafter", self.name)
        self._frames = Frames()

    # -- Labels

    @property
    def labels(self) -> tuple[str, ...]:
        return (MENTION,)

    @property
    def taxonomy(self) -> Taxonomy | None:
        """The types that are looked for where no `cascade_classifier` tells them."""
        return self._taxonomy

    def set_taxonomy(self, taxonomy: TaxonomyLike | None) -> None:
        """Change the types that are looked for where no `cascade_classifier` tells them.

        taxonomy (object): See `Taxonomy.read`. None: whatever the model finds without
            being told.
        """
        self._taxonomy = None if taxonomy is None else read_taxonomy(taxonomy)
        self._show_taxonomy(self._taxonomy)

    def _labels(self, doc: Doc) -> tuple[str, ...]:
        """The types that the prompts about a Doc name."""
        if not self.template.labels:
            return ()

        taxonomy = labels_of(doc)
        if taxonomy is None:
            taxonomy = self._taxonomy
            # disabled components count, too: without them the same mentions should be found
            for _, pipe in self._nlp.components:
                if _types_candidates(pipe):
                    taxonomy = pipe.taxonomy
                    break
        return () if taxonomy is None else taxonomy.roots

    def _check_labels(self, docs: Sequence[Doc]) -> None:
        """Warn of unknown types, unless a `cascade_classifier` does."""
        if not self.template.labels:
            return
        if any(_types_candidates(pipe) for _, pipe in self._nlp.components):
            return
        asked = [labels_of(doc) or self._taxonomy for doc in docs]
        self.warn_unknown(taxonomy for taxonomy in asked if taxonomy is not None)

    # -- Running

    def predict(self, docs: Sequence[Doc]) -> list[Extracted]:
        """Candidates and coverage of each Doc."""
        self._check_labels(docs)
        cuts = [self._cut(doc, self._labels(doc)) for doc in docs]
        found: list[dict[TokenSpan, float]] = [{} for _ in docs]

        for item in self._decoded(docs, [part.windows for part in cuts]):
            window = item.window
            mentions = token_spans(item.job)
            if not item.sampling.round:
                spans = [(start, end) for start, end, _ in mentions]
                self.drafter.learn(window.unit, spans)

            scores = found[item.doc]
            for mention in mentions:
                span = window.start + mention.start, window.start + mention.end
                # others are left to the window that answers for them
                if window.owns(*span):
                    scores[span] = max(mention.score, scores.get(span, 0.0))

        results = []
        for scores, part in zip(found, cuts, strict=True):
            ordered = sorted(scores.items())
            candidates = [Candidate(*span, score) for span, score in ordered]
            results.append(Extracted(candidates, part.coverage))
        return results

    def _decoded(
        self, docs: Sequence[Doc], windows: Sequence[Sequence[Window]]
    ) -> Iterator[WindowJob]:
        """All rounds of all windows, decoded."""
        lm = self.lm
        if lm.prefixes is not None:
            lm.prefixes.clear()

        keep = any(self.feeds_classifier(pipe) for _, pipe in self._nlp.pipeline)
        rounds = samplings(self.rounds, self.temperature, self.open_threshold)
        entities = [_given(doc) for doc in docs]
        every = (
            (index, window) for index, of_doc in enumerate(windows) for window in of_doc
        )

        for part in batched(every, max(1, _JOBS // self.rounds)):
            items = []
            for index, window in part:
                known = _known(entities[index], window)
                for sampling in rounds:
                    guess = self.drafter.guess(window.unit, known)
                    job = self.template.job(lm, window.unit, guess)
                    items.append(WindowJob(index, window, job, sampling))

            jobs = [item.job for item in items]
            with self.weights.active():
                decode(lm, jobs, [item.sampling for item in items], keep=keep)
                prefixes = lm.prefixes if keep else None

            for item in items:
                hand_on(item, prefixes)
            yield from items

    def feeds_classifier(self, pipe: object) -> bool:
        """Whether a component goes on from this one's copies, with the same weights."""
        if not _types_candidates(pipe):
            return False
        return pipe.shares_weights(self) and self._frames.agree(self, pipe)

    def _cut(self, doc: Doc, labels: tuple[str, ...]) -> Cut:
        def cost(text: str) -> int:
            return max(1, self.template.cost(self.lm, text) // 2)

        return self._cut_to_fit(
            doc,
            overhead=self.template.overhead(self.lm, labels),
            spread=3,
            cost=cost,
            names=labels,
            labels=labels,
        )

    def set_annotations(
        self, docs: Sequence[Doc], results: Sequence[Extracted]
    ) -> None:
        """Write candidates, entities and coverage."""
        for doc, (candidates, coverage) in zip(docs, results, strict=True):
            spans = [Span(doc, s, e, label=MENTION) for s, e, _ in candidates]
            scores = self.calibrated([candidate.score for candidate in candidates])
            written: list[Span] = []
            if self.annotate_ents:
                sure = at_least(self.score_threshold, scores)
                kept = fuse(candidates[i] for i in sure)
                flat = [spans[sure[k]] for k in kept]
                written = set_ents(doc, flat, overwrite=self.overwrite_ents)

            set_candidates(doc, SPANS_KEY, spans, untyped=written, scores=scores)
            set_coverage(doc, coverage)

    def scored(self, examples: Sequence[Example]) -> tuple[list[float], list[bool]]:
        """Scores of all candidates, and whether a gold mention has their boundaries.

        Where annotation is missing, there are none.
        """
        scores = []
        right = []
        results = self.predict([example.predicted for example in examples])
        for example, (candidates, _) in zip(examples, results, strict=True):
            gold = {(start, end) for start, end, _ in gold_mentions(example)}
            missing = missing_tokens(example)
            for start, end, score in candidates:
                if missing.isdisjoint(range(start, end)):
                    scores.append(score)
                    right.append((start, end) in gold)
        return scores, right

    def on_failure(self, doc: Doc) -> None:
        set_candidates(doc, SPANS_KEY, [], scores=[])
        set_coverage(doc, [(0, len(doc.text), FAILED)])

    # -- Training

    def begin_training(self, examples: list[Example]) -> None:
        """Report what can't be learned, make weights trainable, and fit the drafter."""
        report_gold(examples, marks=True)
        self.start_training()

        complete = []
        for example in examples:
            for gold in self._gold_units(example):
                if not gold.missing:
                    complete.append((gold.unit, gold.mentions))
        self.drafter.fit(complete)

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        """The marked copies of each example's windows."""
        out = []
        for example in examples:
            items = []
            for gold in self._gold_units(example):
                guess = Guess(gold.unit, gold.mentions)
                job = self.template.job(self.lm, gold.unit, guess)
                text = self.template.text_range(self.lm, job)
                items.append(copy_item(job, text, gold.missing))
            out.append(items)
        return out

    def _gold_units(self, example: Example) -> list[_GoldUnit]:
        """The windows of a text with what there is to learn; of a text without any
        annotation none.
        """
        if not is_annotated(example.reference):
            return []

        mentions = flat_gold(example)
        missing = missing_tokens(example)
        labels = self._labels(example.reference)
        self.learn_names(labels)
        out = []
        for window in self._cut(example.predicted, labels).windows:
            if window.status not in (PROCESSED, SPLIT):
                continue
            first, last = window.start, window.end
            inside = [
                (start - first, end - first)
                for start, end in mentions
                if start >= first and end <= last
            ]
            unknown = {i - first for i in missing if first <= i < last}
            out.append(_GoldUnit(window.unit, inside, unknown))
        return out

    # -- Saving

    def take_taxonomy(self, saved: TaxonomyLike | None) -> None:
        self.set_taxonomy(saved)

    def save_more(self, path: Path) -> None:
        self.drafter.to_disk(path)

    def load_more(self, path: Path) -> None:
        self.drafter.from_disk(path)


register(
    CascadeExtractor,
    template={"@prompts": "spacy-cascade.CompactExtract.v1"},
    taxonomy=None,
    drafter={"@drafters": "spacy-cascade.TaggerDrafter.v1"},
    scores={
        "cascade_extraction_f": 1.0,
        # `spacy train` clips the heads of its columns, so all three would look the same
        "cascade_extraction_p": None,
        "cascade_extraction_r": None,
    },
)


def _types_candidates(pipe: object) -> TypeGuard[CascadeClassifier]:
    """Whether a component names the types of an extractor's candidates."""
    return isinstance(pipe, CascadeClassifier) and pipe.source == "spans"


def _given(doc: Doc) -> list[Span]:
    """The entities of other components."""
    waiting = {(ent.start, ent.end) for ent in placeholders(doc)}
    return [ent for ent in doc.ents if (ent.start, ent.end) not in waiting]


def _known(ents: Sequence[Span], window: Window) -> list[TokenSpan]:
    """What earlier components found in a window, as token indices of its unit.

    ents (Sequence[Span]): Those of the Doc, in order.
    """
    first = bisect_left(ents, window.start, key=lambda ent: ent.start)
    behind = bisect_right(ents, window.end, key=lambda ent: ent.end)
    inside = ents[first:behind]
    return [(ent.start - window.start, ent.end - window.start) for ent in inside]
