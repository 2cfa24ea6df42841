"""Which weights a component runs: where its base comes from, whether it is its own, its
adapter, and how they are saved.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from spacy.language import Language

from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from ..models.files import pack_dir, unpack_dir
from ..models.spec import HFSpec, SharedSpec
from .settings import Block
from .sharing import Sharing

if TYPE_CHECKING:
    from ..models.hf import HFCausalLM
    from ..models.trainable import Optimizer, Trainable

_counter = itertools.count()


class Weights:
    """A base, loaded on first use, with an adapter or none.

    nlp (Language): The pipeline, for bases that are shared between its components.
    name (str): Of the component, in that pipeline. kind (str): Of its factory.
    """

    def __init__(
        self, nlp: Language, name: str, spec: HFSpec | SharedSpec, kind: str = ""
    ):
        self.name = name
        self.kind = kind
        self.spec = spec
        # of one's own on the base
        self._adapter: str | None = None
        # whether weights were loaded that had been trained with the owner's adapter
        self._joined = False
        self._lm: HFCausalLM | None = None
        self._trainable: Trainable | None = None
        # whether the base is this component's alone, so that training may change it
        self._owns_base = False
        # where the base was loaded from, if not by its spec
        self._base_path: Path | None = None
        # whether what was loaded had been trained
        self._was_trained = False
        self._loading = threading.RLock()
        self.sharing = Sharing(nlp, spec)
        self.sharing.owner()

    def move(self, nlp: Language) -> None:
        """The component was put into another pipeline; its base stays the one that it was."""
        self.sharing.move(nlp)

    @property
    def lm(self) -> HFCausalLM:
        """The language model, which is loaded now if it was not yet.

        RAISES CascadeError: C010 to C019.
        """
        if self._lm is None:
            with self._loading:
                if self._lm is None:
                    self._lm = self._load_base()
        return self._lm

    @lm.setter
    def lm(self, lm: HFCausalLM) -> None:
        self._lm = lm

    @property
    def adapter(self) -> str | None:
        """Name of the adapter in use, one's own or that of the base's owner; None: the base itself.

        RAISES CascadeError: C017.
        """
        if self._adapter is not None or not self.joins:
            return self._adapter
        if self._base_path is not None and self.sharing.owner() is None:
            return None
        return self.sharing.found_owner().weights.adapter

    @property
    def joins(self) -> bool:
        """Whether the adapter of the component that owns the base is used, if there is
        none of one's own.
        """
        return isinstance(self.spec, SharedSpec) and (self.spec.adapter or self._joined)

    def _load_base(self, path: Path | None = None) -> HFCausalLM:
        from ..models.loading import load_model

        if path is not None:
            return load_model(self.own_spec(), path=path)
        if isinstance(self.spec, SharedSpec):
            return self.sharing.found_owner().lm
        if not self.spec.name:
            raise CascadeError(Errors.C010.format(name=self.name, kind=self.kind))
        if isinstance(self.spec, HFSpec):
            return load_model(self.spec)
        return self.spec.load()

    def has_base(self) -> bool:
        """Whether there is a base, loaded or not."""
        if self._lm is not None or self._base_path is not None:
            return True
        if isinstance(self.spec, SharedSpec):
            owner = self.sharing.owner()
            return owner is not None and owner.weights.has_base()
        return bool(self.spec.name)

    def own_spec(self) -> HFSpec:
        """How to load a base of one's own, wherever it stands."""
        if isinstance(self.spec, HFSpec):
            return self.spec
        noted = self.sharing.noted.get("spec")
        if noted is not None:
            names = {field.name for field in fields(HFSpec)}
            return HFSpec(**{k: v for k, v in noted.items() if k in names})
        bound = self.sharing.bound
        return HFSpec("") if bound is None else bound.weights.own_spec()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Run the base with this adapter."""
        with self.lm.adapter(self.adapter):
            yield

    def same(self, other: Weights) -> bool:
        """Whether both are the same base with the same adapter."""
        if self._lm is not None:
            same_base = self._lm is other.lm
        else:
            owner = None if self._owns_base else self.sharing.owner()
            same_base = owner is not None and owner.weights is other
        return same_base and self.adapter == other.adapter

    # -- Training

    @property
    def in_training(self) -> bool:
        """Whether training has begun, and the weights were not loaded since."""
        return self._trainable is not None

    def trainable(self, adapter: Block | None) -> Trainable:
        """Make weights trainable: a new adapter, or a private copy of the base.

        Does nothing when called again.

        adapter (dict | None): LoRA settings (see `models.trainable.lora_config`); None: the base.
        """
        with self._loading:
            if self.joins and self._adapter is None:
                # asked every time: the owner may have loaded another adapter since
                self._trainable = self.sharing.found_owner().start_training()
            if self._trainable is None:
                from ..models.trainable import Trainable, lora_config

                if self._adapter is None and adapter is not None:
                    name = self._new_name()
                    self.lm.add_adapter(name, lora_config(adapter))
                    self._use(name)
                elif self._adapter is None:
                    self._take_base()
                self._trainable = Trainable(self.lm, self._adapter)
            return self._trainable

    @property
    def trained(self) -> bool:
        """Whether base or adapter were trained for this component, in this session or before."""
        in_use = self._trainable is not None or self.adapter is not None
        return self._was_trained or in_use

    def step(self, sgd: Optimizer) -> None:
        """Let a thinc optimizer step over the gradients, if there are any."""
        if self._trainable is not None:
            self._trainable.thinc_step(sgd)

    def _take_base(self) -> None:
        """Training changes the base, which other components may use: take a copy of one's own."""
        if self._owns_base or isinstance(self.spec, SharedSpec):
            return  # a shared base is trained together with the component it belongs to
        from ..models.loading import load_model

        name = self.lm.name
        with tempfile.TemporaryDirectory() as tmp:
            self.lm.save(Path(tmp))
            self._lm = load_model(self.own_spec(), path=Path(tmp), private=True)
        self._lm.name = name
        self._owns_base = True

    # -- Adapters

    def begin_with(self, path: Path) -> None:
        """Use a trained adapter if there is none yet. RAISES CascadeError: C013, C018."""
        with self._loading:
            if self.adapter is None:
                self.load_adapter(path)

    def load_adapter(self, path: Path) -> None:
        """Use a trained adapter, which is the one that is trained from now on.

        RAISES CascadeError: C013, C018, C125.
        """
        name = self._new_name()
        self.lm.load_adapter(name, path)
        if self._adapter is not None:
            self.lm.release(self._adapter)
        # what was made ready for training before is the earlier adapter
        self._trainable = None
        self._use(name)

    def _new_name(self) -> str:
        return f"{self.name}_{next(_counter)}".replace(".", "_").replace("-", "_")

    def _use(self, name: str) -> None:
        """Use an adapter of the base; it is given up with these weights."""
        self._adapter = name
        weakref.finalize(self, self.lm.release, name).atexit = False

    # -- Saving

    def savable(self, how: str) -> bool:
        """Whether nothing would be lost. how (str): See `save`."""
        # of a shared base `save` writes what nobody else has
        if how != "adapter" or isinstance(self.spec, SharedSpec):
            return True
        return bool(self.adapter) or not self._has_own_base()

    def _has_own_base(self) -> bool:
        """Whether there is a base that neither the spec nor another component could give back."""
        if self._owns_base or self._base_path is None:
            return self._owns_base
        owner = self.sharing.owner()
        return owner is None or self.lm.fingerprint() != owner.lm.fingerprint()

    def save(self, path: Path, how: str, target: Path | None = None) -> Block:
        """Write model/ and adapter/, all safetensors. RETURNS (dict): What `load` has to know.

        how (str): "full" (base and adapter), "adapter" or "none". What was never loaded is not
            written. A shared base is written by its owner; where the owner is not saved along, it
            is written here, unless nothing is.
        target (Optional[Path]): Where in a pipeline's directory `path` will be; None if it is
            saved by itself.
        """
        meta: Block = {"trained": self.trained}
        joined = None if self._adapter else self.adapter
        is_shared = isinstance(self.spec, SharedSpec)
        shared = is_shared and not self._owns_base and self._base_path is None
        alone = shared and how != "none" and self.has_base()
        alone = alone and not self.sharing.owner_is_saved(target)

        loaded = self._lm is not None or self._base_path is not None
        if not loaded and joined is None and not alone:
            meta |= {"adapter": False, "weights": "none"}
            return meta | ({"base": self.sharing.note()} if shared else {})

        meta["base"] = {**self._origin(shared), "hash": self.lm.fingerprint()}
        if shared and not alone:
            meta["base"] |= self.sharing.note()
        elif is_shared:
            if alone or (how == "adapter" and self._has_own_base()):
                how = "full"
            meta["base"]["spec"] = {**asdict(self.own_spec()), "name": ""}

        adapter = None
        if how != "none":
            adapter = self.adapter if alone else self._adapter
        meta["adapter"] = adapter is not None
        if how != "none" and joined is not None and not alone:
            meta["joined_adapter"] = self.lm.adapter_hash(joined)
        meta["weights"] = how

        if how == "full" and (alone or not shared):
            self.lm.save(path / "model")
        if adapter is not None:
            self.lm.save_adapter(adapter, path / "adapter")
        return meta

    def _origin(self, shared: bool) -> dict[str, str]:
        """Kind, name and version of the base, for whoever has to find it again."""
        if shared:
            return {"kind": "shared", "name": self.lm.name}
        if isinstance(self.spec, HFSpec):
            from ..models.loading import origin_of

            return origin_of(self.spec)
        return {"name": getattr(self.spec, "name", "")}

    def load(self, path: Path, meta: Block) -> None:
        """Load what `save` wrote; the base is loaded on first use where it was not saved along.

        RAISES CascadeError: C013, C016, C018, C040, C041, C107.
        """
        if self._adapter is not None:
            self.lm.release(self._adapter)
        self._trainable = None
        self._adapter = None
        self._owns_base = False
        self.sharing.restore(meta.get("base") or {})
        self._join(path, meta.get("joined_adapter"))
        self._was_trained = bool(meta.get("trained", meta["adapter"]))

        if (path / "model").is_dir():
            self._lm = self._load_base(path / "model")
            self._base_path = path / "model"
        else:
            self._forget_base(path, meta)
        if meta["adapter"]:
            self._check_base(path, meta["base"])
            self.load_adapter(path / "adapter")

    def _join(self, path: Path, trained: str | None) -> None:
        """Go on with the adapter of the base's owner, if the weights were trained so.

        trained (Optional[str]): Hash of that adapter.
        RAISES CascadeError: C107 if there is no such owner, or if it has another adapter.
        """
        self._joined = trained is not None
        if trained is None:
            return
        found = "none"
        if isinstance(self.spec, SharedSpec) and self.adapter is not None:
            found = self.sharing.found_owner().lm.adapter_hash(self.adapter)
        if found != trained:
            message = Errors.C107.format(
                path=path, name=self.name, expected=trained, found=found
            )
            raise CascadeError(message)

    def _forget_base(self, path: Path, meta: Block) -> None:
        """The base was not saved along. RAISES CascadeError: C040, C041."""
        saved = meta["weights"]
        if saved == "full" and not isinstance(self.spec, SharedSpec):
            raise CascadeFileNotFoundError(
                Errors.C040.format(path=path, what="model/", name=self.name)
            )

        self._lm = None
        self._base_path = None
        base = self.sharing.noted.get("name")
        nameless = isinstance(self.spec, HFSpec) and not self.spec.name
        if saved != "full" and nameless and base:
            message = Errors.C041.format(
                path=path, saved=saved, name=self.name, base=base
            )
            raise CascadeError(message)

    def _check_base(self, path: Path, base: Block) -> None:
        """Whether a saved adapter is for this base. RAISES CascadeError: C016."""
        if isinstance(self.spec, HFSpec):
            self.spec = self.spec.as_recorded(base)
        found = self.lm.fingerprint()
        if found != base["hash"]:
            version = base.get("version")
            recorded = f"'{base.get('name')}'" + (f" ({version})" if version else "")
            message = Errors.C016.format(
                path=path, expected=base["hash"], found=found, base=recorded
            )
            raise CascadeError(message)

    # -- Pickling

    def __getstate__(self) -> dict[str, object]:
        """The base as it pickles itself (once, for all that share it), and the files of
        the adapter. Gradients that no optimizer has used yet are left behind.
        """
        state = dict(self.__dict__)
        del state["_loading"], state["_trainable"]
        state["_was_trained"] = self.trained
        if self._adapter is not None:
            with tempfile.TemporaryDirectory() as tmp:
                self.lm.save_adapter(self._adapter, Path(tmp))
                state["_adapter"] = pack_dir(Path(tmp))
        return state

    def __setstate__(self, state: Block) -> None:
        files = state["_adapter"]
        fresh = {"_adapter": None, "_trainable": None, "_loading": threading.RLock()}
        self.__dict__.update(state, **fresh)
        if files is not None:
            with tempfile.TemporaryDirectory() as tmp:
                unpack_dir(files, Path(tmp))
                self.load_adapter(Path(tmp))
