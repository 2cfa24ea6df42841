"""Whose language model a component uses that shares one (`spacy-cascade.SharedLM.v1`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import srsly
from spacy.language import Language
from spacy.util import load_config

from ..errors import CascadeError, Errors
from ..models.spec import HFSpec, SharedSpec
from .settings import Block

if TYPE_CHECKING:
    from ..models.hf import HFCausalLM
    from ..models.trainable import Trainable


class Base(Protocol):
    """The weights of a component, as others that share them see them."""

    spec: HFSpec | SharedSpec
    sharing: Sharing

    @property
    def adapter(self) -> str | None:
        """Name of the adapter in use."""

    def has_base(self) -> bool:
        """Whether there is a base, loaded or not."""

    def own_spec(self) -> HFSpec:
        """How to load a base of one's own, wherever it stands."""


class Owner(Protocol):
    """A component whose base may be shared."""

    @property
    def name(self) -> str: ...

    @property
    def weights(self) -> Base: ...

    @property
    def lm(self) -> HFCausalLM: ...

    def start_training(self) -> Trainable: ...


class Sharing:
    """Finds the owner of a shared base.

    nlp (Language): The pipeline that it is looked for in.
    spec (HFSpec | SharedSpec): How the component gets its base.
    """

    def __init__(self, nlp: Language, spec: HFSpec | SharedSpec):
        self.nlp = nlp
        self.spec = spec
        # the owner that was found last, whatever became of it
        self.bound: Owner | None = None
        # whether the component was put into another pipeline
        self._moved = False
        # what was said about the base when it was saved
        self.noted: Block = {}

    def move(self, nlp: Language) -> None:
        """The component was put into another pipeline; its base stays the one that it was."""
        self._moved = self.owner() is not None
        self.nlp = nlp

    def restore(self, noted: Block) -> None:
        """Take over what was said about the base when it was saved."""
        self.noted = noted
        self._moved = False

    def owner(self) -> Owner | None:
        """The component whose base is shared; None if there is none.

        It is the one of the name that was asked for, or the one that had this name when
        this was saved. Else it is the one found last, which comes first if this was put
        into another pipeline. Else any with the very weights.
        """
        spec = self.spec
        if not isinstance(spec, SharedSpec):
            return None
        if self._moved:
            return self.bound

        others = {
            name: pipe for name, pipe in self._others() if pipe.weights.spec is not spec
        }
        asked = spec.component
        was_asked = self.noted.get("asked") == asked
        noted = self.noted.get("component") if was_asked else None
        found = others.get(noted or asked) or others.get(asked) or self.bound
        if found is None and "hash" in self.noted:
            found = _with_weights(list(others.values()), self.noted["hash"])
        self.bound = found
        return found

    def found_owner(self) -> Owner:
        """The component whose base is shared. RAISES CascadeError: C017."""
        owner = self.owner()
        if owner is None:
            assert isinstance(self.spec, SharedSpec)
            component = self.spec.component
            pipes = ", ".join(name for name, _ in self.nlp.components) or "nothing"
            raise CascadeError(Errors.C017.format(component=component, pipes=pipes))
        return owner

    def _others(self) -> list[tuple[str, Owner]]:
        """The other components of the pipeline that run a language model."""
        found = []
        for name, pipe in self.nlp.components:
            sharing = getattr(getattr(pipe, "weights", None), "sharing", None)
            if isinstance(sharing, Sharing) and sharing is not self:
                found.append((name, cast(Owner, pipe)))
        return found

    def note(self) -> Block:
        """Whose base this is, to be saved."""
        assert isinstance(self.spec, SharedSpec)
        asked = self.spec.component
        owner = self.owner()
        name = asked if owner is None else owner.name
        return {"asked": asked, "component": name}

    def owner_is_saved(self, target: Path | None) -> bool:
        """Whether the owner stands in the pipeline that is being saved.

        Where that is written to disk, config.cfg and the components before this one are
        there already. Others were left out (`exclude`).

        target (Optional[Path]): Where in the pipeline's directory this will be; None if
            it is saved by itself.
        """
        owner = self.owner()
        if owner is None:
            return False
        if target is None or not (target.parent / "config.cfg").is_file():
            return any(pipe is owner for _, pipe in self._others())

        folder = target.parent
        config = load_config(folder / "config.cfg", interpolate=True)
        pipeline = config["nlp"]["pipeline"]
        before = []
        if target.name in pipeline:
            before = pipeline[: pipeline.index(target.name)]
        file = folder / owner.name / "cascade.json"
        if owner.name not in before or not file.is_file():
            return False

        base = srsly.read_json(file).get("base")
        return base is None or base.get("hash") == owner.lm.fingerprint()


def _with_weights(pipes: list[Owner], fingerprint: str) -> Owner | None:
    """The component that has a base of its own with these weights."""
    for pipe in pipes:
        weights = pipe.weights
        if isinstance(weights.spec, SharedSpec) or not weights.has_base():
            continue
        if pipe.lm.fingerprint() == fingerprint:
            return pipe
    return None
