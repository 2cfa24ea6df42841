"""LoRA adapters on one base, by name."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from safetensors.torch import save_file
from torch import nn

from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from .files import check_adapter_config, check_safetensors
from .locks import StateLock

if TYPE_CHECKING:
    from peft import LoraConfig
    from peft.tuners.lora import Linear as LoraLinear

    from .protocols import AdaptedModel, LoadResult, PretrainedLM

_CONFIG_FILE = "adapter_config.json"
_WEIGHTS_FILE = "adapter_model.safetensors"


class _Merged(NamedTuple):
    """An adapter that is in use as a part of the weights."""

    adapter: str


class Adapters:
    """What an HFCausalLM does with its adapters.

    One at most is in use at a time: threads that want the same one run together, others
    wait (`models.locks`).
    """

    name: str
    model: PretrainedLM

    def __init__(self) -> None:
        # the model with its adapters, as soon as there are any
        self._peft: AdaptedModel | None = None
        self._lock = StateLock(self._switch)
        self._released: list[str] = []
        # whether the adapter in use is added to the weights
        self.merges = False
        # whether the layers are on several devices
        self.spread = False
        # which adapter is added to the weights now, and these weights without it
        self._merged: str | None = None
        self._unmerged: dict[LoraLinear, torch.Tensor] = {}

    @property
    def device(self) -> torch.device:
        raise NotImplementedError

    @property
    def adapters(self) -> list[str]:
        """Names of all adapters."""
        return list(self._peft.peft_config) if self._peft is not None else []

    # -- Making, loading and saving

    def add_adapter(
        self,
        name: str,
        config: LoraConfig,
    ) -> None:
        """A new LoRA adapter.

        config (peft.LoraConfig): See `trainable.lora_config`.
        RAISES CascadeError: C037 if its targets match nothing.
        """
        import peft

        with self.alone():
            try:
                # the same seed gives the same adapter, whatever drew random numbers before
                with torch.random.fork_rng():
                    torch.manual_seed(torch.initial_seed())
                    if self._peft is None:
                        base = cast(nn.Module, self.model)
                        made = peft.get_peft_model(base, config, name)
                        self._peft = cast("AdaptedModel", made)
                    else:
                        self._peft.add_adapter(name, config)
            except ValueError as err:
                targets = config.target_modules
                modules = ", ".join(self._module_names())
                raise CascadeError(
                    Errors.C037.format(targets=targets, modules=modules)
                ) from err
            self._settle()

    def _module_names(self) -> list[str]:
        """Last parts of the names of all modules that have weights."""
        names = set()
        for name, module in self.model.named_modules():
            if hasattr(module, "weight"):
                names.add(name.rsplit(".", 1)[-1])
        return sorted(names)

    def load_adapter(
        self,
        name: str,
        path: Path,
        *,
        trainable: bool = False,
    ) -> None:
        """Load an adapter that was saved.

        RAISES CascadeError: C013 if files are missing, C018 if they are damaged, C122 if
            it is no LoRA, C125 if tensors are missing or belong to no layer of this base.
        """
        for file in (_CONFIG_FILE, _WEIGHTS_FILE):
            if not (path / file).is_file():
                raise CascadeFileNotFoundError(
                    Errors.C013.format(path=path, why=f"no {file}")
                )
        check_adapter_config(path / _CONFIG_FILE)
        check_safetensors(path / _WEIGHTS_FILE)

        with self.alone():
            try:
                result = self._read_adapter(name, path, trainable=trainable)
            except (RuntimeError, ValueError, KeyError, TypeError) as err:
                raise CascadeError(Errors.C013.format(path=path, why=err)) from err
            misfit = _misfit(result, name)
            if misfit:
                self._released.append(name)
            self._settle()
        if misfit:
            raise CascadeError(
                Errors.C125.format(path=path, base=self.name, why=misfit)
            )

    def _read_adapter(
        self,
        name: str,
        path: Path,
        *,
        trainable: bool,
    ) -> LoadResult:
        import peft

        device = str(self.device)
        if self._peft is None:
            made = peft.PeftModel.from_pretrained(
                cast(nn.Module, self.model),
                str(path),
                adapter_name=name,
                is_trainable=trainable,
                torch_device=device,
            )
            self._peft = cast("AdaptedModel", made)
        # the first one is loaded once more: `from_pretrained` doesn't tell what was missing
        return self._peft.load_adapter(
            str(path),
            name,
            is_trainable=trainable,
            torch_device=device,
        )

    def release(self, name: str) -> None:
        """Nobody uses this adapter any more.

        It goes when the next one comes: now, the model may be running.
        """
        self._released.append(name)

    def _settle(self) -> None:
        """No adapter is on, as before."""
        assert self._peft is not None
        with warnings.catch_warnings():
            # peft names another one active; which one is, is set below
            warnings.simplefilter("ignore")
            for name in self._released:
                if name in self._peft.peft_config:
                    self._peft.delete_adapter(name)
        self._released.clear()
        if not self.spread:
            self._peft.to(self.device)
        self._peft.eval()
        self._peft.base_model.disable_adapter_layers()

    def save_adapter(
        self,
        name: str,
        path: Path,
    ) -> None:
        """Write an adapter as peft does, with what is needed to load it elsewhere."""
        assert self._peft is not None
        path.mkdir(parents=True, exist_ok=True)
        state = {}
        for key, value in self._adapter_state(name).items():
            state[key] = value.detach().to("cpu").contiguous()
        save_file(state, str(path / _WEIGHTS_FILE), metadata={"format": "pt"})

        config = self._peft.peft_config[name]
        # where a base lay on this machine helps nobody elsewhere
        local = Path(self.name).is_absolute()
        config.base_model_name_or_path = None if local else self.name
        config.inference_mode = True
        config.save_pretrained(str(path))

    def _adapter_state(self, name: str) -> dict[str, torch.Tensor]:
        """Tensors of an adapter by the names that they have in files."""
        import peft

        # "auto" would ask the hub whether the vocabulary was changed; the fingerprint tells that
        state = peft.get_peft_model_state_dict(
            self._peft,
            adapter_name=name,
            save_embedding_layers=False,
        )
        return cast("dict[str, torch.Tensor]", state)

    def adapter_hash(self, name: str) -> str:
        """Identifies an adapter by its values."""
        digest = hashlib.sha256()
        for key, value in sorted(self._adapter_state(name).items()):
            digest.update(key.encode())
            digest.update(value.detach().to("cpu", torch.float32).numpy().tobytes())
        return digest.hexdigest()[:16]

    def adapter_parameters(self, name: str) -> dict[str, nn.Parameter]:
        """Trainable tensors of an adapter, by name."""
        found = {}
        with self.alone(name):
            for key, value in self.model.named_parameters():
                if value.requires_grad and f".{name}." in f"{key}.":
                    found[key] = value
        return found

    # -- Using

    def adapter(self, name: str | None) -> AbstractContextManager[None]:
        """Use this adapter (None: the bare base) inside the context.

        It is added to the weights where that is wanted. Switching is skipped if it is on
        already, so that alternating stages pay only for real changes.
        """
        merged = self.merges and name is not None
        return self._lock.hold(_Merged(cast(str, name)) if merged else name)

    def alone(self, name: str | None = None) -> AbstractContextManager[None]:
        """The same for who changes weights or adapters: no other thread uses the model
        meanwhile, and nothing is added to the weights.
        """
        return self._lock.hold(name, alone=True)

    def _without_merged(self) -> AbstractContextManager[None]:
        """For who reads the weights of the base."""
        return self.alone() if self.merges else nullcontext()

    def _switch(self, state: Hashable) -> None:
        """state (str | _Merged | None): The adapter to use, and how."""
        if self._peft is None:
            return
        self._unmerge()  # peft would do that at a change, too, but not exactly

        name = (
            state.adapter if isinstance(state, _Merged) else cast("str | None", state)
        )
        layers = self._peft.base_model
        if name is None:
            layers.disable_adapter_layers()
        else:
            layers.enable_adapter_layers()
            layers.set_adapter(name)
        if isinstance(state, _Merged):
            self._merge(state.adapter)

    def _unmerge(self) -> None:
        """Take the adapter that was added to the weights out again, exactly."""
        for layer, weight in self._unmerged.items():
            merged = cast(nn.Linear, layer.get_base_layer()).weight
            merged.data = weight.to(merged.device)
            layer.merged_adapters.clear()
        self._unmerged.clear()
        self._merged = None

    def _merge(self, name: str) -> None:
        """Add this adapter to the weights."""
        from peft.tuners.lora import Linear

        assert self._peft is not None
        for layer in self._peft.modules():
            # others (quantized layers, embeddings that are tied to the output) run
            # beside their adapter as ever
            if not isinstance(layer, Linear):
                continue
            base = layer.get_base_layer()
            if not isinstance(base, nn.Linear):
                continue
            if name in layer.lora_A.keys():  # noqa: SIM118  a ModuleDict
                self._unmerged[layer] = base.weight.data.to("cpu")
                base.weight.data = base.weight.data.clone()
                layer.merge(adapter_names=[name])
        self._merged = name


def _misfit(result: LoadResult, name: str) -> str:
    """What is wrong with the tensors of an adapter file.

    result (LoadResult): What peft says of it. It takes other adapters' tensors for missing
        where their names contain this one's.
    name (str): Of the adapter.
    RETURNS (str): "" if they fit.
    """
    missing = [key for key in result.missing_keys if f".{name}." in key]
    parts = []
    for what, keys in (
        ("missing", sorted(missing)),
        ("of no layer here", sorted(result.unexpected_keys)),
    ):
        if keys:
            parts.append(f"{len(keys)} tensors are {what}, such as '{keys[0]}'")
    return "; ".join(parts)
