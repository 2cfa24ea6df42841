"""Stage 2: the language model names the type of every mention, level by level through a
taxonomy.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..doc.annotations import (
    SPANS_KEY,
    candidates,
    fuse,
    labels_of,
    placeholders,
    relabel_ents,
    set_candidates,
    set_ents,
)
from ..doc.gold import (
    flat_gold,
    gold_mentions,
    known_mentions,
    known_path,
    mention_lists,
    report_gold,
)
from ..doc.retokenized import as_tokenized, moved, token_spans
from ..errors import CascadeError, Errors
from ..scoring.scorers import cascade_score
from ..taxonomy import Taxonomy, format_path, normalize_name
from ..types import ClassifyPrompt, MentionQuery, TrainingItem, TypeResult
from .component import LM_BLOCKS, LMPipe
from .saved import DEFAULT_TAXONOMY
from .settings import (
    COUNT,
    SHARE,
    WINDOW,
    Scorer,
    Setting,
    default_config,
    flag,
    one_of,
    read_taxonomy,
)
from .targets import TypesItem
from .template import PromptSetting
from .typer import STRATEGIES, UNKNOWN, Typer, with_context
from .windows import cut

SOURCES = ("spans", "ents")
# Attention within a tree is quadratic: a text with very many mentions is trained on in
# several trees.
_TREE_NODES = 768
# Mentions that are typed at a time: their texts' trees stay in memory from level to level.
_MENTIONS = 256


class CascadeClassifier(LMPipe):
    """Gives every candidate mention a label path.

    `doc.ents` gets the mentions that do not overlap, with their deepest type.

    model (HFSpec | SharedSpec): The language model, `@causal_lms`.
    template (ClassifyPrompt): How to ask it, `@prompts`.
    taxonomy (Taxonomy | list | dict): The types.
    adapter (Optional[dict]): LoRA settings for training: rank, alpha, dropout, targets.
        None: train all weights.
    source (str): Where mentions come from. "spans": the extractor's candidates. "ents":
        the entities of any component, whose labels are refined.
    strategy (str): How a path is found. "progressive": the best coarse type, then the best
        of its children, and so on. "beam": the best joint probability, with `beam_width`
        paths alive. "path": all whole paths in one list.
    beam_width (int): Number of paths that the strategy "beam" keeps.
    n_best (int): Number of complete paths to keep, as [path, probability], in
        `doc.spans["cascade"].attrs["n_best"]`. More than one needs the strategy "beam"
        or "path".
    min_score (float): The path stops before its probability falls below this. A mention
        whose coarse type is below has no type.
    unknown (bool): Offer `unknown` in the first list. A mention that gets it is no entity.
    max_tokens (int): Most model tokens of the context around a mention.
    overwrite_ents (bool): Whether to replace entities of other components.
    """

    kind = "cascade_classifier"
    template: PromptSetting[ClassifyPrompt] = PromptSetting(ClassifyPrompt)
    source = Setting(one_of(SOURCES), "spans")
    strategy = Setting(one_of(STRATEGIES), "progressive")
    beam_width = Setting(COUNT, 3)
    n_best = Setting(COUNT, 1)
    min_score = Setting(SHARE, 0.0)
    unknown = Setting(flag, False)
    max_tokens = Setting(WINDOW, 256)
    overwrite_ents = Setting(flag, False)

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
        # set by a training loop: whether to train on mentions' own lists; (types, gold)
        # -> the list to choose from
        self.own_lists = False
        self.list_noise: Callable[[list[str], str], list[str]] | None = None
        self.set_taxonomy(read_taxonomy("dynamicner" if taxonomy is None else taxonomy))

    # -- Labels

    @property
    def taxonomy(self) -> Taxonomy:
        return self._taxonomy

    def set_taxonomy(
        self, taxonomy: Taxonomy | str | Path | Sequence[str] | dict[str, Any]
    ) -> None:
        """Change the label set, at any time: a Taxonomy, a list of names, a nested dict, or a file.

        RAISES CascadeError: C003 if it is empty, C004 if its form is unknown.
        """
        self._taxonomy = read_taxonomy(taxonomy)
        self._show_taxonomy(self._taxonomy)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all types, each once."""
        return tuple(dict.fromkeys(path[-1] for path in self.taxonomy))

    @property
    def label_data(self) -> dict[str, Any]:
        return self.taxonomy.to_dict()

    # -- Running

    def predict(
        self, docs: Sequence[Doc]
    ) -> list[list[tuple[int, int, float, TypeResult]]]:
        """For each Doc: (start token, end token, boundary score, type) of every candidate.

        RAISES CascadeError: C025 without candidates, unless it is being trained alone: then
        `score` looks at gold mentions.
        """
        if self._trained_alone(docs):
            return []
        read = [self._as_read(doc) for doc in docs]
        found = self.classify(
            read, [self._candidates(*pair) for pair in zip(docs, read, strict=True)]
        )
        out = []
        for doc, other, results in zip(docs, read, found, strict=True):
            spans = moved([(start, end) for start, end, *_ in results], other, doc)
            out.append(
                [
                    (*span, score, result)
                    for span, (*_, score, result) in zip(spans, results, strict=True)
                ]
            )
        return out

    def _as_read(self, doc: Doc) -> Doc:
        """The Doc in the tokens in which its candidates were found; of entities those in which
        candidates were, if there were any."""
        group = doc.spans.get(SPANS_KEY)
        return (
            doc
            if group is None
            else as_tokenized(self._nlp, doc, group.attrs.get("tokens"))
        )

    def _trained_alone(self, docs: Iterable[Doc]) -> bool:
        """Whether no component gives candidates, while the weights are in training."""
        return (
            self.source == "spans"
            and self.weights.in_training
            and all(SPANS_KEY not in doc.spans for doc in docs)
        )

    def classify(
        self,
        docs: Sequence[Doc],
        candidates: Sequence[Sequence[tuple[int, int, float]]],
    ) -> list[list[tuple[int, int, float, TypeResult]]]:
        """Type given token spans (start, end, boundary score) of each Doc; nothing is
        written to the Docs.
        """
        lm = self.lm
        typer = Typer(
            self.template,
            self.strategy,
            self.beam_width,
            self.min_score,
            self.unknown,
            self.n_best,
        )
        out: list[list[Any]] = [[None] * len(c) for c in candidates]
        for part in batch_by_text(
            self._asked(docs, candidates), lambda item: item[2].unit
        ):
            with self.weights.active():
                results = typer(lm, [(asked, taxonomy) for *_, asked, taxonomy in part])
            for (i, k, *_), result in zip(part, results, strict=True):
                out[i][k] = (*candidates[i][k], result)
        return out

    def _asked(
        self,
        docs: Sequence[Doc],
        candidates: Sequence[Sequence[tuple[int, int, float]]],
    ) -> Iterator[tuple[int, int, MentionQuery, Taxonomy]]:
        """Index of the Doc and of the candidate, and what to ask about it."""
        own = self.taxonomy  # one for all, also if it is set anew meanwhile
        for i, doc in enumerate(docs):
            if not candidates[i]:
                continue
            taxonomy = labels_of(doc) or own
            labels = taxonomy.roots if self.template.labels else ()
            windows = self._windows(doc, labels)
            flat = [candidates[i][k][:2] for k in fuse(candidates[i])]
            for k, (start, end, _) in enumerate(candidates[i]):
                yield (
                    i,
                    k,
                    with_context(doc, windows, start, end, flat, labels)[0],
                    taxonomy,
                )

    def _windows(self, doc: Doc, labels: tuple[str, ...]) -> list[Any]:
        limit = max(1, min(self.max_tokens, self.lm.max_length // 4))

        def cost(text: str) -> int:
            return max(1, len(self.lm.encode(text)))

        return cut(
            doc, mode="auto", limit=limit, overlap=limit // 4, cost=cost, labels=labels
        )[0]

    def _candidates(self, doc: Doc, read: Doc) -> list[tuple[int, int, float]]:
        """read (Doc): The Doc in whose tokens they are wanted."""
        if self.source == "ents":
            ents = moved([(e.start, e.end) for e in doc.ents], doc, read)
            return [(start, end, 1.0) for start, end in ents]
        offsets = candidates(doc)
        if offsets is None:
            raise CascadeError(Errors.C025.format(name=self.name, key=SPANS_KEY))
        scores = doc.spans[SPANS_KEY].attrs.get("scores") or [1.0] * len(offsets)
        return [
            (*span, score)
            for span, score in zip(token_spans(read, offsets), scores, strict=True)
        ]

    def set_annotations(self, docs: Sequence[Doc], results: Sequence[Any]) -> None:
        if not results:
            return
        for doc, found in zip(docs, results, strict=True):
            spans = []
            for start, end, _, result in found:
                label = result.path[-1] if result.path else UNKNOWN
                spans.append(Span(doc, start, end, label=label))
            typed = [k for k, (*_, r) in enumerate(found) if r.path]
            untyped: list[Span] = []
            if self.source == "ents":
                # An entity whose type stays unknown keeps the label it came with.
                relabel_ents(
                    doc, {(spans[k].start, spans[k].end): spans[k].label for k in typed}
                )
                untyped = [
                    e
                    for e in placeholders(doc)
                    if (e.start, e.end) not in {found[k][:2] for k in typed}
                ]
            else:
                kept = fuse((found[k][0], found[k][1], found[k][2]) for k in typed)
                set_ents(
                    doc, [spans[typed[k]] for k in kept], overwrite=self.overwrite_ents
                )
            set_candidates(
                doc,
                SPANS_KEY,
                spans,
                untyped=untyped,
                scores=[p for _, _, p, _ in found],
                paths=[format_path(r.path) for *_, r in found],
                path_scores=self.calibrated([r.score for *_, r in found]),
                step_scores=[list(r.step_scores) for *_, r in found],
                **(
                    {
                        "n_best": [
                            [[format_path(p), x] for p, x in r.n_best]
                            for *_, r in found
                        ]
                    }
                    if self.n_best > 1
                    else {}
                ),
            )

    def scored(self, examples: Sequence[Example]) -> tuple[list[float], list[bool]]:
        """The score of the path that each gold mention gets, and whether it is the gold path."""
        known = [known_mentions(eg, self.taxonomy) for eg in examples]
        found = self.classify(
            [eg.predicted for eg in examples],
            [[(s, e, 1.0) for s, e, _ in m] for m in known],
        )
        scores = [r.score for results in found for *_, r in results]
        right = [
            r.path == p
            for m, results in zip(known, found, strict=True)
            for (_, _, p), (*_, r) in zip(m, results, strict=True)
        ]
        return scores, right

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Scores of the pipeline; while this is trained without a component that finds mentions,
        of gold mentions that it types
        (they are written to the predicted Docs)."""
        examples = list(examples)
        docs = [eg.predicted for eg in examples]
        if self._trained_alone(docs):
            gold = [
                [
                    (s, e, 1.0)
                    for s, e in dict.fromkeys(m[:2] for m in gold_mentions(eg))
                ]
                for eg in examples
            ]
            self.set_annotations(docs, self.classify(docs, gold))
        return super().score(examples, **kwargs)

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
            self.set_taxonomy(taxonomy)
        if weights is None and get_examples is not None:
            report_gold(get_examples(), marks=False, taxonomy=self.taxonomy)
            self.start_training()

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        out = []
        for example in examples:
            doc = example.predicted
            taxonomy = labels_of(example.reference) or self.taxonomy
            labels = taxonomy.roots if self.template.labels else ()
            windows = self._windows(doc, labels)
            trees: list[TypesItem] = []
            last: tuple[int, int] | None = None
            flat = flat_gold(example)
            own = mention_lists(example) if self.own_lists else {}
            for start, end, path in gold_mentions(example):
                answer, types = own.get((start, end, path), ("", []))
                of_mention = _own_list(types, answer) if types else taxonomy
                known = (
                    of_mention.resolve(answer) if types else known_path(taxonomy, path)
                )
                if known is None:
                    continue
                asked, first = with_context(doc, windows, start, end, flat, labels)
                here = (first, len(asked.unit.tokens))
                if here != last or len(trees[-1].tree) > _TREE_NODES:
                    trees.append(TypesItem(self.lm, self.template, self.list_noise))
                last = here if self.template.continues else None
                trees[-1].add(asked, of_mention, known)
            out.append([tree.item() for tree in trees])
        return out

    # -- Saving

    def _take_taxonomy(self, saved: Any) -> None:
        self.set_taxonomy(saved)


Language.factory(
    "cascade_classifier",
    assigns=["doc.ents", "doc.spans"],
    default_config=default_config(
        CascadeClassifier,
        **LM_BLOCKS,
        template={"@prompts": "spacy-cascade.CompactClassify.v1"},
        taxonomy=DEFAULT_TAXONOMY,
    ),
    default_score_weights={
        "cascade_fine_f": 0.5,
        "cascade_coarse_f": 0.3,
        "cascade_medium_f": 0.2,
        "cascade_typed_f": 0.0,
        "cascade_accuracy": 0.0,
    },
)(CascadeClassifier)


def _own_list(types: Sequence[str], answer: str) -> Taxonomy:
    """A mention's own type list.

    Of types that differ in nothing but case or white space one is left, the answer if
    it is among them.
    """
    return Taxonomy.from_labels(
        {normalize_name(t): t for t in (*types, answer)}.values()
    )


def batch_by_text(
    items: Iterable[Any], key: Callable[[Any], Any]
) -> Iterator[list[Any]]:
    """Parts of `_MENTIONS` items or a few more: neighbours with the same key are not parted."""
    part: list[Any] = []
    for _, same in itertools.groupby(items, key):
        part += same
        if len(part) >= _MENTIONS:
            yield part
            part = []
    if part:
        yield part


# Where the entry points of installs from before lead. To be removed.
make_classifier = CascadeClassifier
