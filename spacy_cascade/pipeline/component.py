"""What the components have in common: a language model with an adapter of their own,
batching, saving, training.
"""

# Annotations are evaluated here: spaCy validates [initialize] with those of `initialize`.

import itertools
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples

from ..doc.gold import label_set
from ..errors import CascadeError, Errors
from ..models.files import atomic_dir, pack_dir, unpack_dir
from ..models.spec import HFSpec, SharedSpec
from ..scoring.scorers import cascade_score
from ..types import TrainingItem
from .calibration import Calibration, cross_fitted_error, expected_calibration_error
from .known import KnowsLabels
from .place import pipeline_that_names
from .saved import (
    IN_PIPELINE,
    config_beside,
    damaged,
    load_settings,
    load_taxonomy,
    read_meta,
    save_settings,
    write_meta,
)
from .settings import (
    Block,
    Scorer,
    Setting,
    TaxonomyLike,
    block_or_none,
    one_of,
    read_model,
    read_taxonomy,
)
from .template import PromptSetting, TemplateOf
from .weights import Weights

if TYPE_CHECKING:
    from ..models.hf import HFCausalLM
    from ..models.trainable import Optimizer, Trainable

T = TypeVar("T")

SAVE_WEIGHTS = ("full", "adapter", "none")


class LMPipe(KnowsLabels):
    """A trainable pipe around a causal LM.

    Subclasses give `predict`, `set_annotations` and `training_items`. Their options are
    `Setting`s, which are arguments of the class and of its factory, too.

    nlp (Language): The pipeline, for language models shared between its components.
    name (str): Name of the component in it.
    model (HFSpec | SharedSpec | str): The language model, `@causal_lms`. A string is a
        directory or hub name. It is loaded on first use, not here.
    template (object): How to ask it, `@prompts`.
    taxonomy (object): The label set, `@taxonomies`. See `Taxonomy.read`.
    save_weights (str): What is saved: "full" (base and adapter), "adapter" or "none".
    scorer (Optional[Callable]): What `nlp.evaluate` measures, `@scorers`.

    adapter (Optional[dict]): LoRA settings for training: rank, alpha, dropout, targets.
        None: train all weights.

    Settings may be changed at any time. `nlp.config` shows those in use, and they are
    saved. In `spacy.load(config=...)` others may be given.
    """

    # Name of the label set that is used if none is given.
    default_taxonomy: str | None = None
    calibration: Calibration | None = None
    template: PromptSetting[object] = PromptSetting(object)
    adapter_settings = Setting(block_or_none, None, option="adapter")
    save_weights = Setting(one_of(SAVE_WEIGHTS), "full")

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
        self.vocab = nlp.vocab
        self._nlp = nlp
        self.weights = Weights(nlp, name, read_model(name, model), self.kind)
        self.scorer = scorer
        contract = type(self).template.contract
        self._template_of = TemplateOf(nlp, name, contract)
        self.template = template
        self._take_settings(settings)
        given = self.default_taxonomy if taxonomy is None else taxonomy
        self.take_taxonomy(None if given is None else read_taxonomy(given))
        self.check_settings()

    # -- Settings

    @property
    def name(self) -> str:
        """In the pipeline that it was put into last; spaCy keeps it in step."""
        return self.weights.name

    @name.setter
    def name(self, name: str) -> None:
        self.weights.name = self._template_of.name = name
        nlp = pipeline_that_names(self)
        if nlp is not None and nlp is not self._nlp:
            self._nlp = nlp
            self.weights.move(nlp)
            self._template_of.move(nlp)

    # -- The language model

    @property
    def lm(self) -> "HFCausalLM":
        """The language model, which is loaded now if it was not yet.

        RAISES CascadeError: C010 to C019.
        """
        return self.weights.lm

    @property
    def model(self) -> HFSpec | SharedSpec:
        """The language model's description. spaCy asks trainable pipes for a `model`."""
        return self.weights.spec

    def shares_weights(self, other: "LMPipe") -> bool:
        """Whether both run the same base with the same adapter."""
        return self.weights.same(other.weights)

    # -- Running

    def predict(self, docs: Sequence[Doc]) -> Sequence[Any]:
        """One result per Doc, without touching the Docs."""
        raise NotImplementedError

    def set_annotations(self, docs: Sequence[Doc], results: Sequence[Any]) -> None:
        raise NotImplementedError

    def __call__(self, doc: Doc, **options: object) -> Doc:
        """Process one Doc in place. Errors go to the pipe's error handler."""
        self.refuse_options(options)
        for _ in self._process([doc]):
            pass
        return doc

    def pipe(
        self, stream: Iterable[Doc], *, batch_size: int = 128, **options: object
    ) -> Iterator[Doc]:
        """Process a stream; the model runs on whole batches.

        The result does not depend on `batch_size`.
        """
        self.refuse_options(options)
        for docs in batched(stream, batch_size):
            yield from self._process(docs)

    def _process(self, docs: list[Doc]) -> Iterator[Doc]:
        try:
            self.set_annotations(docs, self.predict(docs))
        except Exception as err:
            if len(docs) == 1:
                self.on_failure(docs[0])
                self.get_error_handler()(self.name, self, docs, err)
                return
            # One bad Doc must not take the batch with it.
            for doc in docs:
                yield from self._process([doc])
            return
        yield from docs

    def on_failure(self, doc: Doc) -> None:
        """Leave a trace on a Doc that failed."""

    # -- Calibration

    def scored(self, examples: Sequence[Example]) -> tuple[list[float], list[bool]]:
        """Scores that the component gives, as they come from the model, and whether
        what they stand for is right.
        """
        raise NotImplementedError

    def calibrate(
        self, examples: Iterable[Example], *, method: str = "isotonic"
    ) -> dict[str, float]:
        """Fit scores to how often they are right, on development data that was not
        trained on. Saved with the component.

        method (str): isotonic, or temperature for little data.
        RETURNS: `n` scores, `ece_before`, and `ece_after` of scores that each half's
            calibration gives the other half.
        RAISES CascadeError: C020, C030.
        """
        scores, right = self.scored(list(examples))
        self.calibration = Calibration.fit(method, scores, right)
        return {
            "n": len(scores),
            "ece_before": expected_calibration_error(scores, right),
            "ece_after": cross_fitted_error(method, scores, right),
        }

    def calibrated(self, scores: Sequence[float]) -> list[float]:
        """Scores as they are written to the Doc."""
        if self.calibration is None:
            return list(scores)
        probabilities: list[float] = self.calibration(scores).tolist()
        return probabilities

    # -- Training

    @property
    def is_trainable(self) -> bool:
        return True

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
            self.begin_training(list(get_examples()))

    def begin_training(self, examples: list[Example]) -> None:
        """Make weights trainable. Subclasses report what can't be learned, too."""
        self.start_training()

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        """What there is to learn from each example; an empty list for one without gold
        annotation.
        """
        raise NotImplementedError

    def start_training(self) -> "Trainable":
        """Make weights trainable: a new adapter, or a private copy of the base.

        Does nothing when called again.
        """
        return self.weights.trainable(self.adapter_settings)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: "Optimizer | None" = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """One step of `spacy train`: gradients are summed until `finish_update`.

        `drop` is the rate of subword regularization.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        trainable = self.start_training()
        items = []
        # the module's own state is what `fix_random_seed` sets
        rng = cast(random.Random, random)
        with self.lm.subword_noise(rng, drop):
            for found in self.training_items(examples):
                items += [item for item in found if item.gold]
        if items:
            losses[self.name] += sum(trainable.backward(items).values())
        if sgd is not None:
            self.finish_update(sgd)
        return losses

    def finish_update(self, sgd: "Optimizer") -> None:
        """Let a thinc optimizer step over the gradients, as spaCy does for PyTorch models."""
        self.weights.step(sgd)

    def score(self, examples: Iterable[Example], **kwargs: object) -> Block:
        if self.scorer is None:
            return {}
        options = {"taxonomy": label_set(self._nlp), **kwargs}
        scores: Block = self.scorer(list(examples), **options)
        return scores

    # -- Saving

    def check_settings(self) -> None:
        """Whether the settings go together and can be saved. RAISES CascadeError: C021, C081."""
        if self._template_of.replaced:
            raise CascadeError(Errors.C081.format(name=self.name))

    def take_taxonomy(self, saved: TaxonomyLike | None) -> None:
        """Use a taxonomy as `Taxonomy.to_dict` gives it, or None."""

    def save_more(self, path: Path) -> None:
        """Write files of a subclass into the component's directory."""

    def load_more(self, path: Path) -> None:
        """Read files of a subclass."""

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:
        """A directory with cascade.json and, by `save_weights`, model/ (base) and
        adapter/, all safetensors.
        """
        path = Path(path)
        if not self.weights.savable(self.save_weights):
            raise CascadeError(Errors.C042.format(name=self.name))
        self.check_settings()
        target = path if IN_PIPELINE in exclude else None
        meta = save_settings(self, config_beside(path) if target else {})
        how = "none" if "weights" in exclude else self.save_weights

        with atomic_dir(path) as folder:
            if self.calibration is not None:
                meta["calibration"] = self.calibration.to_dict()
            meta |= self._template_of.save(folder)
            meta |= self.weights.save(folder, how, target)
            self.save_known(meta)
            if meta["weights"] != "none":
                self.save_more(folder)
            write_meta(folder, meta)

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> "LMPipe":
        """Load what `to_disk` wrote. Never touches the network if the weights are there.

        In a pipeline, a setting that its config gives anew (`spacy.load(config=...)`)
        counts more than a saved one.

        exclude (Sequence[str]): "weights". "settings": those stay as they are, and so
            does a taxonomy that is not the default.
        RAISES CascadeError: C013, C016, C018, C040, C041, C105.
        """
        path = Path(path)
        meta = read_meta(path, self.kind, self.name)
        self._template_of.load(path, meta)
        try:
            if "settings" in exclude:
                load_taxonomy(self, meta, unless_given=True)
            else:
                within = IN_PIPELINE in exclude
                load_settings(self, meta, config_beside(path) if within else None)
            self.calibration = None
            if "calibration" in meta:
                self.calibration = Calibration.from_dict(meta["calibration"])
        except KeyError as err:
            raise damaged(path, f"it lacks {err}") from err

        if "weights" not in exclude:
            self.load_more(path)
            self.weights.load(path, meta)
            self.load_known(meta)
        return self

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        """The files of `to_disk` in one piece."""
        alone = [name for name in exclude if name != IN_PIPELINE]
        with tempfile.TemporaryDirectory() as tmp:
            self.to_disk(Path(tmp) / "pipe", exclude=alone)
            data: bytes = srsly.msgpack_dumps(pack_dir(Path(tmp) / "pipe"))
            return data

    def from_bytes(self, data: bytes, *, exclude: Sequence[str] = ()) -> "LMPipe":
        """Load what `to_bytes` gave."""
        alone = [name for name in exclude if name != IN_PIPELINE]
        with tempfile.TemporaryDirectory() as tmp:
            unpack_dir(srsly.msgpack_loads(data), Path(tmp))
            self.from_disk(Path(tmp), exclude=alone)
        return self


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items; the last one may be shorter."""
    left = iter(items)
    while part := list(itertools.islice(left, size)):
        yield part
