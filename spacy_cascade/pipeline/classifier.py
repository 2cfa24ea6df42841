"""Stage 2: the language model names the type of every mention, level by level through a
taxonomy.
"""

from collections.abc import Iterable, Iterator, Sequence

from spacy.tokens import Doc, Span
from spacy.training import Example

from ..contracts import ClassifyPrompt
from ..doc.annotations import (
    SPANS_KEY,
    at_least,
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
from ..taxonomy import TypePath, format_path
from ..types import Candidate, TrainingItem, TypedMention
from .factories import register
from .saved import DEFAULT_TAXONOMY
from .settings import (
    COUNT,
    SHARE,
    WINDOW,
    Block,
    Setting,
    TaxonomyLike,
    flag,
    one_of,
    read_taxonomy,
)
from .targets import ListNoise, TypeTrees, own_list
from .template import PromptSetting
from .typed import TypedPipe
from .typer import STRATEGIES, UNKNOWN, Question, Typer, batch_by_text, with_context
from .windows import Window, cut

SOURCES = ("spans", "ents")
# Mentions that are typed at a time: their texts' trees stay in memory from level to level.
_MENTIONS = 256


class CascadeClassifier(TypedPipe):
    """Gives every candidate mention a label path.

    `doc.ents` gets the mentions that do not overlap, with their deepest type.

    template (ClassifyPrompt): How to ask the language model, `@prompts`.
    taxonomy (Taxonomy | list | dict): The types.
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
    score_threshold (float): Mentions with a lower `cascade_score` stay in
        `doc.spans["cascade"]`, but do not enter `doc.ents`. With source = "ents" they
        keep the label they came with.
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
    score_threshold = Setting(SHARE, 0.0)
    overwrite_ents = Setting(flag, False)

    # Both are set by a training loop: whether to train on mentions' own lists, and what
    # changes the lists to choose from.
    use_mention_lists = False
    list_noise: ListNoise | None = None

    # -- Labels

    def set_taxonomy(self, taxonomy: TaxonomyLike) -> None:
        """Change the label set, at any time: a Taxonomy, a list of names, a nested dict,
        or a file.

        RAISES CascadeError: C003 if it is empty, C004 if its form is unknown.
        """
        self._taxonomy = read_taxonomy(taxonomy)
        self._show_taxonomy(self._taxonomy)

    def take_taxonomy(self, saved: TaxonomyLike | None) -> None:
        self.set_taxonomy(read_taxonomy(saved))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all types, each once."""
        return tuple(dict.fromkeys(path[-1] for path in self.taxonomy))

    # -- Running

    def predict(self, docs: Sequence[Doc]) -> list[list[TypedMention]]:
        """The candidates of each Doc with their types.

        RAISES CascadeError: C025 without candidates, unless it is being trained alone:
            then `score` looks at gold mentions.
        """
        if self._trained_alone(docs):
            return []

        self.warn_unknown(labels_of(doc) or self.taxonomy for doc in docs)
        read = [self._as_read(doc) for doc in docs]
        pairs = list(zip(docs, read, strict=True))
        typed = self.classify(read, [self._candidates(*pair) for pair in pairs])

        results = []
        for (doc, other), mentions in zip(pairs, typed, strict=True):
            spans = moved([(start, end) for start, end, *_ in mentions], other, doc)
            in_doc = []
            for span, mention in zip(spans, mentions, strict=True):
                in_doc.append(TypedMention(*span, mention.score, mention.result))
            results.append(in_doc)
        return results

    def _as_read(self, doc: Doc) -> Doc:
        """The Doc in the tokens in which its candidates were found.

        Entities are read in those tokens, too, if there were candidates.
        """
        group = doc.spans.get(SPANS_KEY)
        if group is None:
            return doc
        return as_tokenized(self._nlp, doc, group.attrs.get("tokens"))

    def _trained_alone(self, docs: Iterable[Doc]) -> bool:
        """Whether no component gives candidates, while the weights are in training."""
        if self.source != "spans" or not self.weights.in_training:
            return False
        return all(SPANS_KEY not in doc.spans for doc in docs)

    def classify(
        self, docs: Sequence[Doc], candidates: Sequence[Sequence[Candidate]]
    ) -> list[list[TypedMention]]:
        """Type given token spans of each Doc. Nothing is written to the Docs."""
        lm = self.lm
        typer = Typer(
            self.template,
            self.strategy,
            self.beam_width,
            self.min_score,
            self.unknown,
            self.n_best,
        )
        # in the order of the candidates, since all of them are asked in that order
        typed: list[list[TypedMention]] = [[] for _ in docs]
        for part in batch_by_text(self._asked(docs, candidates), _MENTIONS):
            asked = [(question.query, question.taxonomy) for question in part]
            with self.weights.active():
                results = typer(lm, asked)
            for question, result in zip(part, results, strict=True):
                candidate = candidates[question.doc][question.candidate]
                typed[question.doc].append(TypedMention(*candidate, result))
        return typed

    def _asked(
        self, docs: Sequence[Doc], candidates: Sequence[Sequence[Candidate]]
    ) -> Iterator[Question]:
        """What to ask about all candidates, in order."""
        own = self.taxonomy  # one for all, also if it is set anew meanwhile
        for index, doc in enumerate(docs):
            of_doc = candidates[index]
            if not of_doc:
                continue

            taxonomy = labels_of(doc) or own
            labels = taxonomy.roots if self.template.labels else ()
            windows = self._windows(doc, labels)
            flat = [(of_doc[k][0], of_doc[k][1]) for k in fuse(of_doc)]
            for number, (start, end, _) in enumerate(of_doc):
                query, _ = with_context(doc, windows, start, end, flat, labels)
                yield Question(index, number, query, taxonomy)

    def _windows(self, doc: Doc, labels: tuple[str, ...]) -> list[Window]:
        limit = max(1, min(self.max_tokens, self.lm.max_length // 4))

        def cost(text: str) -> int:
            return max(1, len(self.lm.encode(text)))

        overlap = limit // 4
        found = cut(
            doc, mode="auto", limit=limit, overlap=overlap, cost=cost, labels=labels
        )
        return found.windows

    def _candidates(self, doc: Doc, read: Doc) -> list[Candidate]:
        """What is to be typed. read (Doc): The Doc in whose tokens they are wanted."""
        if self.source == "ents":
            ents = moved([(ent.start, ent.end) for ent in doc.ents], doc, read)
            return [Candidate(start, end, 1.0) for start, end in ents]

        offsets = candidates(doc)
        if offsets is None:
            raise CascadeError(Errors.C025.format(name=self.name, key=SPANS_KEY))
        scores = doc.spans[SPANS_KEY].attrs.get("scores") or [1.0] * len(offsets)
        spans = token_spans(read, offsets)
        return [
            Candidate(*span, score) for span, score in zip(spans, scores, strict=True)
        ]

    # -- Writing to the Doc

    def set_annotations(
        self, docs: Sequence[Doc], results: Sequence[list[TypedMention]]
    ) -> None:
        """Write types to candidates, and entities."""
        if not results:
            return
        for doc, mentions in zip(docs, results, strict=True):
            spans = [_as_span(doc, mention) for mention in mentions]
            path_scores = self.calibrated([m.result.score for m in mentions])
            pairs = zip(mentions, path_scores, strict=True)
            scores = [mention.score * score for mention, score in pairs]
            sure = at_least(self.score_threshold, scores)
            typed = [k for k in sure if mentions[k].result.path]
            if self.source == "ents":
                untyped = _relabel(doc, [spans[k] for k in typed])
            else:
                untyped = []
                kept = fuse(mentions[k][:3] for k in typed)
                flat = [spans[typed[k]] for k in kept]
                set_ents(doc, flat, overwrite=self.overwrite_ents)
            self._set_types(doc, spans, mentions, path_scores, untyped)

    def _set_types(
        self,
        doc: Doc,
        spans: list[Span],
        mentions: list[TypedMention],
        path_scores: list[float],
        untyped: list[Span],
    ) -> None:
        """Store the candidates with their types.

        untyped (list[Span]): Entities that wait for a type.
        """
        types = [mention.result for mention in mentions]
        attrs: dict[str, list[object]] = {
            "scores": [mention.score for mention in mentions],
            "paths": [format_path(result.path) for result in types],
            "path_scores": [*path_scores],
            "step_scores": [list(result.step_scores) for result in types],
        }
        if self.n_best > 1:
            attrs["n_best"] = [
                [[format_path(path), share] for path, share in result.n_best]
                for result in types
            ]
        set_candidates(doc, SPANS_KEY, spans, untyped=untyped, **attrs)

    # -- Scores

    def scored(self, examples: Sequence[Example]) -> tuple[list[float], list[bool]]:
        """Scores of the paths that gold mentions get, and whether these are the gold
        paths.
        """
        known = [known_mentions(example, self.taxonomy) for example in examples]
        spans = [_certain(mention[:2] for mention in gold) for gold in known]
        typed = self.classify([example.predicted for example in examples], spans)

        scores = []
        right = []
        for gold, mentions in zip(known, typed, strict=True):
            for (_, _, path), mention in zip(gold, mentions, strict=True):
                scores.append(mention.result.score)
                right.append(mention.result.path == path)
        return scores, right

    def score(self, examples: Iterable[Example], **kwargs: object) -> Block:
        """Scores of the pipeline.

        While this is trained without a component that finds mentions, gold mentions are
        typed and scored. They are written to the predicted Docs.
        """
        examples = list(examples)
        docs = [example.predicted for example in examples]
        if self._trained_alone(docs):
            gold = []
            for example in examples:
                spans = [mention[:2] for mention in gold_mentions(example)]
                gold.append(_certain(dict.fromkeys(spans)))
            self.set_annotations(docs, self.classify(docs, gold))
        return super().score(examples, **kwargs)

    # -- Training

    def begin_training(self, examples: list[Example]) -> None:
        """Report types that are not in the taxonomy, and make weights trainable."""
        report_gold(examples, marks=False, taxonomy=self.taxonomy)
        self.start_training()

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        """Trees of the types of each example's gold mentions."""
        out = []
        for example in examples:
            out.append(self._type_trees(example).items())
        return out

    def _type_trees(self, example: Example) -> TypeTrees:
        doc = example.predicted
        taxonomy = labels_of(example.reference) or self.taxonomy
        self.learn_names(name for *_, name in taxonomy)
        labels = taxonomy.roots if self.template.labels else ()
        windows = self._windows(doc, labels)
        flat = flat_gold(example)
        own = mention_lists(example) if self.use_mention_lists else {}
        trees = TypeTrees(self.lm, self.template, self.list_noise)

        for mention in gold_mentions(example):
            start, end, gold = mention
            query, first = with_context(doc, windows, start, end, flat, labels)
            path: TypePath | None
            if mention in own:
                choices = own_list(own[mention])
                path = choices.resolve(own[mention].answer)
                self.learn_names(path)
            else:
                choices = taxonomy
                path = known_path(taxonomy, gold)
            if path is not None:
                trees.add(query, first, choices, path)
        return trees


register(
    CascadeClassifier,
    template={"@prompts": "spacy-cascade.CompactClassify.v1"},
    taxonomy=DEFAULT_TAXONOMY,
    scores={
        "cascade_fine_f": 0.5,
        "cascade_coarse_f": 0.3,
        "cascade_medium_f": 0.2,
        "cascade_typed_f": 0.0,
        "cascade_accuracy": 0.0,
    },
)


def _as_span(doc: Doc, mention: TypedMention) -> Span:
    """A mention with its deepest type."""
    path = mention.result.path
    label = path[-1] if path else UNKNOWN
    return Span(doc, mention.start, mention.end, label=label)


def _relabel(doc: Doc, typed: Sequence[Span]) -> list[Span]:
    """Give entities their new labels. RETURNS (list[Span]): Placeholders that got none.

    An entity whose type stays unknown keeps the label it came with.
    """
    labels = {(span.start, span.end): span.label for span in typed}
    relabel_ents(doc, labels)
    return [ent for ent in placeholders(doc) if (ent.start, ent.end) not in labels]


def _certain(spans: Iterable[tuple[int, int]]) -> list[Candidate]:
    """Gold mentions as candidates."""
    return [Candidate(start, end, 1.0) for start, end in spans]
