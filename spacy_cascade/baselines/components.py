"""Systems to compare with, as components: GPT-NER, PromptNER, and what spancat needs to
be scored like the others.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..decoding.copy import decode
from ..decoding.labels import score_labels
from ..doc.annotations import SPANS_KEY, fuse, set_candidates, set_ents
from ..errors import CascadeError, Errors
from ..pipeline.component import LM_BLOCKS
from ..pipeline.extractor import token_spans
from ..pipeline.open_ner import SCORE_WEIGHTS, OpenMention, OpenNER
from ..pipeline.saved import DEFAULT_TAXONOMY
from ..pipeline.settings import SHARE, Setting, default_config, flag
from ..pipeline.template import PromptSetting
from ..types import TrainingItem
from .prompts import CandidatePrompt, TypePrompt

# No adapter is trained, and there is nothing to save.
_BLOCKS = {k: v for k, v in LM_BLOCKS.items() if k != "adapter"} | {
    "taxonomy": DEFAULT_TAXONOMY,
    "save_weights": "none",
}


class _Untrained(OpenNER):
    """A system that is prompted, not trained.

    Labels, windows and annotation are those of `open_ner`.
    """

    unused_options: tuple[str, ...] = ("adapter",)

    @property
    def is_trainable(self) -> bool:
        return False

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]] | None = None,
        *,
        nlp: Language | None = None,
        weights: str | Path | None = None,
        taxonomy: dict[str, Any] | list[str] | str | None = None,
    ) -> None:
        """weights (Optional[str]): Directory of a saved component of this kind.
        taxonomy: Replaces the configured one.
        """
        super().initialize(None, nlp=nlp, weights=weights, taxonomy=taxonomy)

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        """RAISES CascadeError: C035, always."""
        raise CascadeError(
            Errors.C035.format(found=self.name, pipes=", ".join(self._nlp.pipe_names))
        )


class PromptNER(_Untrained):
    """Lists candidates, judges each with a reason, and keeps those judged True.

    The method is that of arXiv 2305.15444. Settings are those of `OpenNER`.
    """

    kind = "prompt_ner"
    # what is not trained needs no right answers
    template: PromptSetting[CandidatePrompt] = PromptSetting(CandidatePrompt)  # type: ignore[assignment]


Language.factory(
    "prompt_ner",
    assigns=["doc.ents", "doc.spans"],
    default_config=default_config(
        PromptNER, **_BLOCKS, template={"@prompts": "spacy-cascade.PromptNER.v1"}
    ),
    default_score_weights=SCORE_WEIGHTS,
)(PromptNER)


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

    def predict(
        self, docs: Sequence[Doc]
    ) -> list[tuple[list[OpenMention], list[tuple[int, int, str]]]]:
        """For each Doc: its mentions, and the coverage ranges.

        Of a mention that is found for several types the likeliest stays.
        """
        self._load_adapter()
        lm, out, jobs = self.lm, [], []
        for i, doc in enumerate(docs):
            labels = self._labels_for(doc)
            windows, ledger = self._cut(doc, labels)
            out.append(ledger)
            for w in windows:
                jobs += [
                    (i, w, labels, k, self.template.job(lm, w.unit, labels, k))
                    for k in range(len(labels.names))
                ]
        with self.weights.active():
            decode(lm, [job for *_, job in jobs])
            found = [
                (
                    i,
                    w,
                    labels.paths[k],
                    span,
                    self.template.verification(lm, w.unit, span[:2], labels, k)
                    if self.verify
                    else None,
                )
                for i, w, labels, k, job in jobs
                for span in token_spans(job)
                if w.owns(w.start + span[0], w.start + span[1])
            ]
            score_labels(
                lm, [question for *_, question in found if question is not None]
            )
        best: list[dict[tuple[int, int], OpenMention]] = [{} for _ in docs]
        for i, w, path, (s, e, score), question in found:
            yes = 1.0 if question is None else math.exp(question.log_probs[0])
            start, end = w.start + s, w.start + e
            other = best[i].get((start, end))
            if yes < self.verify_threshold or score * yes < self.min_score:
                continue
            if other is None or other[2] * other[3] < score * yes:
                best[i][start, end] = (start, end, score, yes, path)
        return [
            (sorted(b.values(), key=lambda m: m[:2]), ledger)
            for b, ledger in zip(best, out, strict=True)
        ]


Language.factory(
    "gpt_ner",
    assigns=["doc.ents", "doc.spans"],
    default_config=default_config(
        GPTNER, **_BLOCKS, template={"@prompts": "spacy-cascade.GPTNER.v1"}
    ),
    default_score_weights=SCORE_WEIGHTS,
)(GPTNER)


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
            Span(doc, s.start, s.end, s.label, kb_id=s.kb_id, span_id=s.id)
            for s in group or ()
        ]
        given = group.attrs.get("scores") if group is not None else None
        # spancat's are an array, with max_positive = 1 of shape (spans, 1)
        scores = (
            [1.0] * len(spans)
            if given is None
            else np.ravel(given).astype(float).tolist()
        )
        kept = fuse((s.start, s.end, p) for s, p in zip(spans, scores, strict=True))
        set_ents(doc, [spans[i] for i in kept], overwrite=self.overwrite_ents)
        set_candidates(
            doc, SPANS_KEY, spans, scores=scores, paths=[s.label_ for s in spans]
        )
        return doc


# Where the entry points of installs from before lead. To be removed.
make_gpt_ner = GPTNER
make_prompt_ner = PromptNER
make_span_fuser = SpanFuser
