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
from typing import Any

import srsly
from spacy.language import Language
from spacy.util import load_config

from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from ..models.files import pack_dir, unpack_dir
from ..models.spec import HFSpec, SharedSpec

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
        self._nlp = nlp
        self._lm: Any = None
        self._trainable: Any = None
        # whether the base is this component's alone, so that training may change it
        self._owns_base = False
        # where the base was loaded from, if not by its spec
        self._base_path: Path | None = None
        # whether what was loaded had been trained
        self._was_trained = False
        self._loading = threading.RLock()
        # whose base is shared, and what was said about the base when it was saved
        self._bound: Any = None
        self._moved = False
        self._noted: dict[str, Any] = {}
        self.owner()

    def move(self, nlp: Language) -> None:
        """The component was put into another pipeline; its base stays the one that it was."""
        self._moved = self.owner() is not None
        self._nlp = nlp

    @property
    def lm(self) -> Any:
        """The language model (loaded now if it was not yet). RAISES CascadeError: C010 to C019."""
        if self._lm is None:
            with self._loading:
                if self._lm is None:
                    self._lm = self._load_base()
        return self._lm

    @lm.setter
    def lm(self, lm: Any) -> None:
        self._lm = lm

    @property
    def adapter(self) -> str | None:
        """Name of the adapter in use, one's own or that of the base's owner; None: the base itself.

        RAISES CascadeError: C017.
        """
        if self._adapter is None and self.joins:
            alone = self._base_path is not None and self.owner() is None
            return None if alone else self._owner().weights.adapter
        return self._adapter

    @property
    def joins(self) -> bool:
        """Whether the adapter of the component that owns the base is used, if there is
        none of one's own.
        """
        return isinstance(self.spec, SharedSpec) and (self.spec.adapter or self._joined)

    def _owner(self) -> Any:
        """The component whose base is shared. RAISES CascadeError: C017."""
        assert isinstance(self.spec, SharedSpec)
        owner = self.owner()
        if owner is None:
            pipes = ", ".join(name for name, _ in self._nlp.components) or "nothing"
            raise CascadeError(
                Errors.C017.format(component=self.spec.component, pipes=pipes)
            )
        return owner

    def _load_base(self, path: Path | None = None) -> Any:
        from ..models.loading import load_model

        if path is not None:
            return load_model(self._own_spec(), path=path)
        if isinstance(self.spec, SharedSpec):
            return self._owner().lm
        if not self.spec.name:
            raise CascadeError(Errors.C010.format(name=self.name, kind=self.kind))
        if isinstance(self.spec, HFSpec):
            return load_model(self.spec)
        return self.spec.load()

    def owner(self) -> Any:
        """The component whose base is shared: the one of this name, the one that had it when this
        was saved, or the one that it was when this was made, whatever became of it (first of all
        where this was sourced); else any with the very weights. None if there is none."""
        if not isinstance(self.spec, SharedSpec):
            return None
        if self._moved:
            return self._bound
        others = {
            name: pipe
            for name, pipe in self._others()
            if pipe.weights.spec is not self.spec
        }
        asked = self.spec.component
        noted = (
            self._noted.get("component") if self._noted.get("asked") == asked else None
        )
        found = others.get(noted or asked) or others.get(asked) or self._bound
        if found is None and "hash" in self._noted:
            owners = (
                p
                for p in others.values()
                if not isinstance(p.weights.spec, SharedSpec) and p.weights.has_base()
            )
            found = next(
                (p for p in owners if p.lm.fingerprint() == self._noted["hash"]), None
            )
        self._bound = found
        return found

    def _others(self) -> list[tuple[str, Any]]:
        """The other components of the pipeline that run a language model."""
        pipes: list[tuple[str, Any]] = [
            p for p in self._nlp.components if hasattr(p[1], "weights")
        ]
        return [
            p
            for p in pipes
            if isinstance(p[1].weights, Weights) and p[1].weights is not self
        ]

    def has_base(self) -> bool:
        """Whether there is a base, loaded or not."""
        if self._lm is not None or self._base_path is not None:
            return True
        if isinstance(self.spec, SharedSpec):
            owner = self.owner()
            return owner is not None and owner.weights.has_base()
        return bool(self.spec.name)

    def _own_spec(self) -> HFSpec:
        """How to load a base of one's own, wherever it stands."""
        if isinstance(self.spec, HFSpec):
            return self.spec
        noted = self._noted.get("spec")
        if noted is not None:
            names = {f.name for f in fields(HFSpec)}
            return HFSpec(**{k: v for k, v in noted.items() if k in names})
        return (
            self._bound.weights._own_spec() if self._bound is not None else HFSpec("")
        )

    @contextmanager
    def active(self) -> Iterator[None]:
        """Run the base with this adapter."""
        with self.lm.adapter(self.adapter):
            yield

    def same(self, other: Weights) -> bool:
        """Whether both are the same base with the same adapter."""
        owner = self.owner()
        shared = not self._owns_base and owner is not None and owner.weights is other
        return (
            self._lm is other.lm if self._lm is not None else shared
        ) and self.adapter == other.adapter

    # -- Training
    # ---------------------------------------------------------------------------------------------

    @property
    def in_training(self) -> bool:
        """Whether training has begun, and the weights were not loaded since."""
        return self._trainable is not None

    def trainable(self, adapter: dict[str, Any] | None) -> Any:
        """Make weights trainable: a new adapter, or a private copy of the base.

        Does nothing when called again.

        adapter (dict | None): LoRA settings (see `training.weights.lora_config`); None: the base.
        RETURNS (training.weights.Trainable)
        """
        with self._loading:
            if self.joins and self._adapter is None:
                # asked every time: the owner may have loaded another adapter since
                self._trainable = self._owner().start_training()
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
        return (
            self._was_trained or self._trainable is not None or self.adapter is not None
        )

    def step(self, sgd: Any) -> None:
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
            self._lm = load_model(self._own_spec(), path=Path(tmp), private=True)
        self._lm.name = name
        self._owns_base = True

    # -- Adapters
    # ---------------------------------------------------------------------------------------------

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
    # -----------------------------------------------------------------------------------------------

    def savable(self, how: str) -> bool:
        """Whether nothing would be lost. how (str): See `save`."""
        if how != "adapter" or isinstance(
            self.spec, SharedSpec
        ):  # `save` writes what nobody else has
            return True
        return bool(self.adapter) or not self._has_own_base()

    def _has_own_base(self) -> bool:
        """Whether there is a base that neither the spec nor another component could give back."""
        if self._owns_base or self._base_path is None:
            return self._owns_base
        owner = self.owner()
        return owner is None or self.lm.fingerprint() != owner.lm.fingerprint()

    def save(self, path: Path, how: str, target: Path | None = None) -> dict[str, Any]:
        """Write model/ and adapter/, all safetensors. RETURNS (dict): What `load` has to know.

        how (str): "full" (base and adapter), "adapter" or "none". What was never loaded is not
            written. A shared base is written by its owner; where the owner is not saved along, it
            is written here, unless nothing is.
        target (Optional[Path]): Where in a pipeline's directory `path` will be; None if it is
        saved by itself.
        """
        meta: dict[str, Any] = {"trained": self.trained}
        joined = None if self._adapter else self.adapter
        shared = (
            isinstance(self.spec, SharedSpec)
            and not self._owns_base
            and self._base_path is None
        )
        alone = (
            shared
            and how != "none"
            and self.has_base()
            and not self._owner_is_saved(target)
        )
        if (
            self._lm is None
            and self._base_path is None
            and joined is None
            and not alone
        ):
            note = {"base": self._note()} if shared else {}
            return {**meta, "adapter": False, "weights": "none", **note}
        meta["base"] = {**self._origin(shared), "hash": self.lm.fingerprint()}
        if shared and not alone:
            meta["base"] |= self._note()
        elif isinstance(self.spec, SharedSpec):
            how = (
                "full" if alone or (how == "adapter" and self._has_own_base()) else how
            )
            meta["base"]["spec"] = {**asdict(self._own_spec()), "name": ""}
        adapter = (self.adapter if alone else self._adapter) if how != "none" else None
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

    @staticmethod
    def _describe(origin: dict[str, str]) -> str:
        """A recorded base, for messages."""
        version = origin.get("version")
        return f"'{origin.get('name')}'" + (f" ({version})" if version else "")

    def _join(self, path: Path, trained: str | None) -> None:
        """Go on with the adapter of the base's owner, if the weights were trained so.

        trained (Optional[str]): Hash of that adapter.
        RAISES CascadeError: C107 if there is no such owner, or if it has another adapter.
        """
        self._joined = trained is not None
        if trained is None:
            return
        if not isinstance(self.spec, SharedSpec):
            raise CascadeError(
                Errors.C107.format(
                    path=path, name=self.name, expected=trained, found="none"
                )
            )
        used = self.adapter
        found = self._owner().lm.adapter_hash(used) if used is not None else "none"
        if found != trained:
            raise CascadeError(
                Errors.C107.format(
                    path=path, name=self.name, expected=trained, found=found
                )
            )

    def _note(self) -> dict[str, Any]:
        """Whose base this is."""
        assert isinstance(self.spec, SharedSpec)
        owner = self.owner()
        name = self.spec.component if owner is None else owner.name
        return {"asked": self.spec.component, "component": name}

    def _owner_is_saved(self, target: Path | None) -> bool:
        """Whether the component whose base this is stands in the pipeline that is being saved.

        Where that is written to disk, config.cfg and the components before this one are there
        already; others were left out (`exclude`).
        """
        owner = self.owner()
        if owner is None:
            return False
        if target is None or not (target.parent / "config.cfg").is_file():
            return any(pipe is owner for _, pipe in self._others())
        pipeline = load_config(target.parent / "config.cfg", interpolate=True)["nlp"][
            "pipeline"
        ]
        before = (
            pipeline[: pipeline.index(target.name)] if target.name in pipeline else []
        )
        if (
            owner.name not in before
            or not (target.parent / owner.name / "cascade.json").is_file()
        ):
            return False
        base = srsly.read_json(target.parent / owner.name / "cascade.json").get("base")
        return base is None or base.get("hash") == owner.lm.fingerprint()

    def load(self, path: Path, meta: dict[str, Any]) -> None:
        """Load what `save` wrote; the base is loaded on first use where it was not saved along.

        RAISES CascadeError: C013, C016, C018, C040, C041, C107.
        """
        if self._adapter is not None:
            self.lm.release(self._adapter)
        self._trainable, self._adapter, self._owns_base = None, None, False
        self._noted, self._moved = meta.get("base") or {}, False
        self._join(path, meta.get("joined_adapter"))
        self._was_trained = bool(meta.get("trained", meta["adapter"]))
        if (path / "model").is_dir():
            self._lm, self._base_path = self._load_base(path / "model"), path / "model"
        else:
            if meta["weights"] == "full" and not isinstance(self.spec, SharedSpec):
                raise CascadeFileNotFoundError(
                    Errors.C040.format(path=path, what="model/", name=self.name)
                )
            self._lm, self._base_path = None, None
            if (
                meta["weights"] != "full"
                and isinstance(self.spec, HFSpec)
                and not self.spec.name
                and self._noted.get("name")
            ):
                base = meta["base"]["name"]
                raise CascadeError(
                    Errors.C041.format(
                        path=path, saved=meta["weights"], name=self.name, base=base
                    )
                )
        if meta["adapter"]:
            if isinstance(self.spec, HFSpec):
                self.spec = self.spec.as_recorded(meta["base"])
            found = self.lm.fingerprint()
            if found != meta["base"]["hash"]:
                base = self._describe(meta["base"])
                message = Errors.C016.format(
                    path=path, expected=meta["base"]["hash"], found=found, base=base
                )
                raise CascadeError(message)
            self.load_adapter(path / "adapter")

    # -- Pickling
    # ---------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """The base as it pickles itself (once, for all that share it), and the files of
        the adapter. Gradients that no optimizer has used yet are left behind.
        """
        state = {
            k: v
            for k, v in self.__dict__.items()
            if k not in ("_loading", "_trainable")
        }
        state["_was_trained"] = self.trained
        if self._adapter is not None:
            with tempfile.TemporaryDirectory() as tmp:
                self.lm.save_adapter(self._adapter, Path(tmp))
                state["_adapter"] = pack_dir(Path(tmp))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state["_adapter"]
        self.__dict__.update(
            state, _adapter=None, _trainable=None, _loading=threading.RLock()
        )
        if files is not None:
            with tempfile.TemporaryDirectory() as tmp:
                unpack_dir(files, Path(tmp))
                self.load_adapter(Path(tmp))
