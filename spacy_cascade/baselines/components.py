"""Systems to compare with, as components: GPT-NER, PromptNER, and what spancat needs to
be scored like the others.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..decoding.copy import Job, decode
from ..decoding.labels import LabelJob, score_labels
from ..doc.annotations import SPANS_KEY, fuse, set_candidates, set_ents
from ..errors import CascadeError, Errors
from ..pipeline.copies import token_spans
from ..pipeline.factories import register
from ..pipeline.open_ner import SCORE_WEIGHTS, Listed, OpenMention, OpenNER
from ..pipeline.saved import DEFAULT_TAXONOMY
from ..pipeline.settings import SHARE, Setting, flag
from ..pipeline.template import PromptSetting
from ..pipeline.windows import CoverageRange, Window
from ..prompts.labelset import LabelSet
from ..taxonomy import TypePath
from ..types import TokenSpan, TrainingItem
from .prompts import CandidatePrompt, TypePrompt


class _Untrained(OpenNER):
    """A system that is prompted, not trained.

    Labels, windows and annotation are those of `open_ner`.
    """

    unused_options: tuple[str, ...] = ("adapter",)

    @property
    def is_trainable(self) -> bool:
        return False

    def begin_training(self, examples: list[Example]) -> None:
        """There is nothing to train."""

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        """RAISES CascadeError: C035, always."""
        pipes = ", ".join(self._nlp.pipe_names)
        raise CascadeError(Errors.C035.format(found=self.name, pipes=pipes))


class PromptNER(_Untrained):
    """Lists candidates, judges each with a reason, and keeps those judged True.

    The method is that of arXiv 2305.15444. Settings are those of `OpenNER`.
    """

    kind = "prompt_ner"
    # what is not trained needs no right answers
    template: PromptSetting[CandidatePrompt] = PromptSetting(  # type: ignore[assignment]
        CandidatePrompt
    )


class _MarkedWindow(NamedTuple):
    """A window in which the mentions of one type are marked.

    doc (int): Index of its Doc. label (int): Index of the type.
    """

    doc: int
    window: Window
    labels: LabelSet
    label: int
    job: Job


class _FoundMention(NamedTuple):
    """A mention of a type, and the question whether it is one; None: it is not asked."""

    doc: int
    span: TokenSpan
    score: float
    path: TypePath
    question: LabelJob | None


class GPTNER(_Untrained):
    """Asks for one type after the other, then checks each mention.

    The model marks a copy of the text for every type. Then it is asked whether each
    mention is of that type (arXiv 2304.10428). Other settings are those of `OpenNER`.

    verify (bool): Ask again about every mention that was found.
    verify_threshold (float): Least probability of yes. It becomes the mention's
        `path_scores`.
    """

    kind = "gpt_ner"
    template: PromptSetting[TypePrompt] = PromptSetting(TypePrompt)  # type: ignore[assignment]
    unused_options = ("adapter", "nested")
    verify = Setting(flag, True)
    verify_threshold = Setting(SHARE, 0.5)
    # a text of single letters, each marked: prompt, copy, and up to eight tokens of markers
    spread = 10

    def predict(self, docs: Sequence[Doc]) -> list[Listed]:
        """Mentions and coverage of each Doc.

        Of a mention that is found for several types the likeliest stays.
        """
        self._load_adapter()
        coverage, items = self._marked(docs)
        with self.weights.active():
            decode(self.lm, [item.job for item in items])
            found = self._found(items)
            asked = [item.question for item in found if item.question is not None]
            score_labels(self.lm, asked)

        best: list[dict[TokenSpan, OpenMention]] = [{} for _ in docs]
        for mention in found:
            self._take(mention, best[mention.doc])
        results = []
        for mentions, ranges in zip(best, coverage, strict=True):
            ordered = sorted(mentions.values(), key=lambda mention: mention[:2])
            results.append(Listed(ordered, ranges))
        return results

    def _marked(
        self, docs: Sequence[Doc]
    ) -> tuple[list[list[CoverageRange]], list[_MarkedWindow]]:
        """The coverage of each Doc, and a copy for each window and type."""
        coverage = []
        items = []
        for index, doc in enumerate(docs):
            labels = self._labels_for(doc)
            windows, ranges = self._cut(doc, labels)
            coverage.append(ranges)
            for window in windows:
                for label in range(len(labels.names)):
                    job = self.template.job(self.lm, window.unit, labels, label)
                    items.append(_MarkedWindow(index, window, labels, label, job))
        return coverage, items

    def _found(self, items: Sequence[_MarkedWindow]) -> list[_FoundMention]:
        """All mentions, with the question whether they are of that type."""
        out = []
        for doc, window, labels, label, job in items:
            path = labels.paths[label]
            for start, end, score in token_spans(job):
                in_doc = window.start + start, window.start + end
                if not window.owns(*in_doc):
                    continue

                question = None
                if self.verify:
                    question = self.template.verification(
                        self.lm, window.unit, (start, end), labels, label
                    )
                out.append(_FoundMention(doc, in_doc, score, path, question))
        return out

    def _take(self, found: _FoundMention, best: dict[TokenSpan, OpenMention]) -> None:
        """Keep a mention if it is likely enough, and likelier than one of another type."""
        yes = 1.0
        if found.question is not None:
            yes = math.exp(found.question.log_probs[0])
        if yes < self.verify_threshold or found.score * yes < self.min_score:
            return

        other = best.get(found.span)
        if other is None or other.score * other.label_score < found.score * yes:
            scores = found.score, yes
            best[found.span] = OpenMention(*found.span, *scores, found.path)


for _component, _template in ((PromptNER, "PromptNER.v1"), (GPTNER, "GPTNER.v1")):
    register(
        _component,
        template={"@prompts": f"spacy-cascade.{_template}"},
        taxonomy=DEFAULT_TAXONOMY,
        save_weights="none",
        scores=SCORE_WEIGHTS,
    )


@Language.factory(
    "span_fuser",
    assigns=["doc.ents", "doc.spans"],
    requires=["doc.spans"],
    default_config={"spans_key": "sc", "overwrite_ents": False},
)
class SpanFuser:
    """Makes flat entities of the spans of another component, such as spancat.

    The spans go to `doc.spans["cascade"]`, too.

    spans_key (str): Where that component puts its spans.
    overwrite_ents (bool): Whether to replace entities of other components.
    """

    def __init__(
        self,
        nlp: Language,
        name: str,
        *,
        spans_key: str,
        overwrite_ents: bool,
    ):
        self.spans_key = spans_key
        self.overwrite_ents = overwrite_ents

    def __call__(self, doc: Doc) -> Doc:
        group = doc.spans.get(self.spans_key)
        spans = [
            Span(
                doc, span.start, span.end, span.label, kb_id=span.kb_id, span_id=span.id
            )
            for span in group or ()
        ]
        scores = [1.0] * len(spans)
        given = group.attrs.get("scores") if group is not None else None
        if given is not None:
            # spancat's are an array, with max_positive = 1 of shape (spans, 1)
            scores = np.ravel(given).astype(float).tolist()

        found = zip(spans, scores, strict=True)
        kept = fuse((span.start, span.end, score) for span, score in found)
        set_ents(doc, [spans[k] for k in kept], overwrite=self.overwrite_ents)
        paths = [span.label_ for span in spans]
        set_candidates(doc, SPANS_KEY, spans, scores=scores, paths=paths)
        return doc
