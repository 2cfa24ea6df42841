"""What the components have in common: a language model with an adapter of their own,
batching, saving, training.
"""

from __future__ import annotations

import inspect
import json
import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import srsly
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.util import minibatch

from ..doc.gold import label_set
from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from ..models.files import atomic_dir, pack_dir, unpack_dir
from ..scoring.scorers import cascade_score
from ..taxonomy import Taxonomy
from ..types import TrainingItem
from .calibration import Calibration, expected_calibration_error
from .place import pipeline_that_names
from .saved import config_beside, load_settings, load_taxonomy, save_settings
from .settings import (
    Block,
    Scorer,
    Setting,
    as_block,
    block_or_none,
    factory_settings,
    factory_signature,
    one_of,
    read_model,
    settings_of,
)
from .template import PromptSetting, TemplateOf
from .weights import Weights

SAVE_WEIGHTS = ("full", "adapter", "none")
# Blocks that the default configs of all factories have in common.
LM_BLOCKS: Block = {
    "model": {"@causal_lms": "spacy-cascade.HF.v1", "name": ""},
    "adapter": {"rank": 16, "alpha": 32, "dropout": 0.0},
    "scorer": {"@scorers": "spacy-cascade.CascadeScorer.v1"},
}
# What a pipeline tells its components to leave out when it is saved or loaded; by themselves they
# are not told.
_IN_PIPELINE = "vocab"


class LMPipe(Pipe):
    """A trainable pipe around a causal LM.

    Subclasses give `predict`, `set_annotations` and `training_items`. Their options are
    `Setting`s, which are arguments of the class and of its factory, too.

    nlp (Language): The pipeline, for language models shared between its components.
    name (str): Name of the component in it.
    model (HFSpec | SharedSpec | str): The language model, `@causal_lms`. A string is a
        directory or hub name. It is loaded on first use, not here.
    template (object): How to ask it, `@prompts`.
    save_weights (str): What is saved: "full" (base and adapter), "adapter" or "none".
    scorer (Optional[Callable]): What `nlp.evaluate` measures, `@scorers`.

    adapter (dict): LoRA settings for training (see `models.trainable.lora_config`).
        None: train all weights.

    Settings may be changed at any time. `nlp.config` shows those in use, and they are
    saved. In `spacy.load(config=...)` others may be given.
    """

    # Name of the factory, to tell saved components apart.
    kind = ""
    # Settings that the factory does not take.
    unused_options: tuple[str, ...] = ()
    # What `inspect.signature` gives, which is what spaCy validates configs with.
    __signature__: ClassVar[inspect.Signature]
    calibration: Calibration | None = None
    template: PromptSetting[object] = PromptSetting(object)
    adapter_settings = Setting(block_or_none, None, option="adapter")
    save_weights = Setting(one_of(SAVE_WEIGHTS), "full")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__signature__ = factory_signature(cls)

    def __init__(
        self,
        nlp: Language,
        name: str,
        model: object,
        template: object,
        *,
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

    def _take_settings(self, given: Mapping[str, object]) -> None:
        """Set all settings, to their defaults where nothing is given."""
        settings = factory_settings(type(self))
        for option in given:
            if option not in settings:
                kind = type(self).__name__
                raise TypeError(f"{kind}() got an unexpected argument '{option}'")
        for option, setting in settings_of(type(self)).items():
            setattr(self, setting.name, given.get(option, setting.default))

    def on_setting(self, option: str, value: Any) -> None:
        """What follows from a setting that was given or changed: the config of the pipeline shows
        it."""
        self._show(option, value)

    def _show(self, option: str, value: Any) -> None:
        for name, pipe in self._nlp.components:
            if pipe is self and option in self._nlp.get_pipe_config(name):
                self._nlp.get_pipe_config(name)[option] = value

    def _show_taxonomy(self, taxonomy: Taxonomy | None) -> None:
        """The first one that is given is that of the config."""
        self.__dict__.setdefault("_given_taxonomy", taxonomy)
        self._show("taxonomy", None if taxonomy is None else as_block(taxonomy))

    # -- The language model

    @property
    def lm(self) -> Any:
        """The language model (loaded now if it was not yet). RAISES CascadeError: C010 to C019."""
        return self.weights.lm

    @property
    def model(self) -> Any:
        """spaCy asks every trainable pipe for a `model`; here it is the language
        model's description.
        """
        return self.weights.spec

    def shares_weights(self, other: LMPipe) -> bool:
        """Whether both run the same base with the same adapter."""
        return self.weights.same(other.weights)

    # -- Pickling

    def __reduce__(self) -> tuple[Any, ...]:
        # Cython's own way looks at the base class's fields alone
        return _blank, (type(self),), self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        # not as settings are set: the pipeline, whose config would show them, is not whole yet
        self.__dict__.update(state)

    # -- Running

    def predict(self, docs: Sequence[Doc]) -> list[Any]:
        """One result per Doc, without touching the Docs."""
        raise NotImplementedError

    def set_annotations(self, docs: Sequence[Doc], results: Sequence[Any]) -> None:
        raise NotImplementedError

    def __call__(self, doc: Doc) -> Doc:
        """Process one Doc in place. Errors go to the pipe's error handler."""
        for _ in self._process([doc]):
            pass
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Process a stream; the model runs on whole batches.

        The result does not depend on `batch_size`.
        """
        for docs in minibatch(stream, size=batch_size):
            yield from self._process(list(docs))

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
        halves = []
        for k in (0, 1):
            fitted = Calibration.fit(
                method, scores[k::2] or scores, right[k::2] or right
            )
            halves.append((fitted(scores[1 - k :: 2]), right[1 - k :: 2]))
        after = expected_calibration_error(
            np.concatenate([p for p, _ in halves]),
            [y for _, part in halves for y in part],
        )
        return {
            "n": len(scores),
            "ece_before": expected_calibration_error(scores, right),
            "ece_after": after,
        }

    def calibrated(self, scores: Sequence[float]) -> list[float]:
        """Scores as they are written to the Doc."""
        return (
            list(scores)
            if self.calibration is None
            else self.calibration(scores).tolist()
        )

    # -- Training

    @property
    def is_trainable(self) -> bool:
        return True

    def training_items(self, examples: Iterable[Example]) -> list[list[TrainingItem]]:
        """What there is to learn from each example; an empty list for one without gold
        annotation.
        """
        raise NotImplementedError

    def start_training(self) -> Any:
        """Make weights trainable: a new adapter, or a private copy of the base.

        Does nothing when called again.

        RETURNS (training.weights.Trainable)
        """
        return self.weights.trainable(self.adapter_settings)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Any = None,
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
        with self.lm.subword_noise(random, drop):
            items = [
                item
                for found in self.training_items(examples)
                for item in found
                if item.gold
            ]
        if items:
            losses[self.name] += sum(trainable.backward(items).values())
        if sgd is not None:
            self.finish_update(sgd)
        return losses

    def finish_update(self, sgd: Any) -> None:
        """Let a thinc optimizer step over the gradients, as spaCy does for PyTorch models."""
        self.weights.step(sgd)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        if self.scorer is None:
            return {}
        return self.scorer(
            list(examples), **{"taxonomy": label_set(self._nlp), **kwargs}
        )

    # -- Saving

    def check_settings(self) -> None:
        """Whether the settings go together and can be saved. RAISES CascadeError: C021, C081."""
        if self._template_of.replaced:
            raise CascadeError(Errors.C081.format(name=self.name))

    def _take_taxonomy(self, saved: Any) -> None:
        """Use a taxonomy as `Taxonomy.to_dict` gives it, or None."""

    def _save_more(self, path: Path) -> None:
        """Files of a subclass, written to its directory."""

    def _load_more(self, path: Path) -> None:
        pass

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:
        """A directory with cascade.json and, by `save_weights`, model/ (base) and
        adapter/, all safetensors.
        """
        if not self.weights.savable(self.save_weights):
            raise CascadeError(Errors.C042.format(name=self.name))
        path = Path(path)
        within = _IN_PIPELINE in exclude
        self.check_settings()
        settings = save_settings(self, config_beside(path) if within else {})
        with atomic_dir(path) as tmp:
            meta: dict[str, Any] = {
                "kind": self.kind,
                "name": self.name,
                "save_weights": self.save_weights,
                **settings,
            }
            if self.calibration is not None:
                meta["calibration"] = self.calibration.to_dict()
            meta |= self._template_of.save(tmp)
            how = "none" if "weights" in exclude else self.save_weights
            meta |= self.weights.save(tmp, how, path if within else None)
            if meta["weights"] != "none":
                self._save_more(tmp)
            # not by srsly, whose JSON does not keep all digits of a number
            (tmp / "cascade.json").write_text(
                json.dumps(meta, indent=2, ensure_ascii=False), encoding="utf8"
            )

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> LMPipe:
        """Load what `to_disk` wrote. Never touches the network if the weights are there. In a
        pipeline, a setting that its config
        gives anew (`spacy.load(config=...)`) counts more than a saved one.

        exclude (Sequence[str]): "weights"; "settings": those stay as they are, and so does a
        taxonomy that is not the default.
        RAISES CascadeError: C013, C016, C018, C040, C041, C105.
        """
        path = Path(path)
        if not (path / "cascade.json").is_file():
            raise CascadeFileNotFoundError(
                Errors.C040.format(path=path, what="cascade.json", name=self.name)
            )
        try:
            meta = json.loads((path / "cascade.json").read_text("utf8"))
            missing = [k for k in ("kind", "weights", "adapter") if k not in meta]
        except (ValueError, TypeError) as err:
            raise CascadeError(
                Errors.C018.format(path=path / "cascade.json", why=err)
            ) from err
        if not isinstance(meta, dict) or missing:
            why = (
                f"it lacks {', '.join(missing)}"
                if isinstance(meta, dict)
                else "it is no JSON object"
            )
            raise CascadeError(Errors.C018.format(path=path / "cascade.json", why=why))
        if meta["kind"] != self.kind:
            raise CascadeError(
                Errors.C040.format(
                    path=path,
                    what=f"{self.kind} (it is a {meta['kind']})",
                    name=self.name,
                )
            )
        self._template_of.load(path, meta)
        try:
            if "settings" in exclude:
                load_taxonomy(self, meta, unless_given=True)
            elif _IN_PIPELINE in exclude:
                load_settings(self, meta, config_beside(path))
            else:
                load_settings(self, meta)
            self.calibration = (
                Calibration.from_dict(meta["calibration"])
                if "calibration" in meta
                else None
            )
        except KeyError as err:
            raise CascadeError(
                Errors.C018.format(path=path / "cascade.json", why=f"it lacks {err}")
            ) from err
        if "weights" in exclude:
            return self
        self._load_more(path)
        self.weights.load(path, meta)
        return self

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        with tempfile.TemporaryDirectory() as tmp:
            self.to_disk(
                Path(tmp) / "pipe",
                exclude=[name for name in exclude if name != _IN_PIPELINE],
            )
            return srsly.msgpack_dumps(pack_dir(Path(tmp) / "pipe"))

    def from_bytes(self, data: bytes, *, exclude: Sequence[str] = ()) -> LMPipe:
        with tempfile.TemporaryDirectory() as tmp:
            unpack_dir(srsly.msgpack_loads(data), Path(tmp))
            self.from_disk(
                Path(tmp), exclude=[name for name in exclude if name != _IN_PIPELINE]
            )
        return self


def _blank(kind: type[LMPipe]) -> LMPipe:
    """A component to be filled: it is in the pipeline that it belongs to, which is
    filled at the same time.
    """
    return kind.__new__(kind)
