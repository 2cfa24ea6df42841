"""LoRA adapters on one base, by name."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from .turns import Turns


class _Merged(NamedTuple):
    """An adapter that is in use as a part of the weights."""

    adapter: str


class Adapters:
    """What an HFCausalLM does with its adapters.

    One at most is in use at a time: threads that want the same one run together, others
    take turns.
    """

    name: str
    model: Any
    device: Any

    def __init__(self) -> None:
        self._peft: Any = None
        self._turns = Turns(self._switch)
        self._released: list[str] = []
        # whether the adapter in use is added to the weights; which one is now, and the
        # weights without it
        self.merges = False
        # whether the layers are on several devices
        self.spread = False
        self._merged: str | None = None
        self._unmerged: dict[Any, torch.Tensor] = {}

    @property
    def adapters(self) -> list[str]:
        return list(self._peft.peft_config) if self._peft is not None else []

    def add_adapter(self, name: str, config: Any) -> None:
        """A new LoRA adapter with the given `peft` config.

        RAISES CascadeError: C037 if its targets match nothing.
        """
        import peft

        with self.alone():
            try:
                # the same seed gives the same adapter, whatever drew random numbers before
                with torch.random.fork_rng():
                    torch.manual_seed(torch.initial_seed())
                    if self._peft is None:
                        self._peft = peft.get_peft_model(
                            self.model, config, adapter_name=name
                        )
                    else:
                        self._peft.add_adapter(name, config)
            except ValueError as err:
                modules = sorted(
                    {
                        n.rsplit(".", 1)[-1]
                        for n, m in self.model.named_modules()
                        if hasattr(m, "weight")
                    }
                )
                targets = config.target_modules
                raise CascadeError(
                    Errors.C037.format(targets=targets, modules=", ".join(modules))
                ) from err
            self._settle()

    def load_adapter(self, name: str, path: Path, *, trainable: bool = False) -> None:
        """RAISES CascadeError: C013 if files are missing, C018 if they are damaged,
        C122 if it is no LoRA.
        """
        import peft

        from .files import check_adapter_config, check_safetensors

        for file in ("adapter_config.json", "adapter_model.safetensors"):
            if not (path / file).is_file():
                raise CascadeFileNotFoundError(
                    Errors.C013.format(path=path, why=f"no {file}")
                )
        check_adapter_config(path / "adapter_config.json")
        check_safetensors(path / "adapter_model.safetensors")
        options: dict[str, Any] = {
            "is_trainable": trainable,
            "torch_device": str(self.device),
        }
        with self.alone():
            try:
                if self._peft is None:
                    load = peft.PeftModel.from_pretrained
                    self._peft = load(
                        self.model, str(path), adapter_name=name, **options
                    )
                else:
                    self._peft.load_adapter(str(path), name, **options)
            except (RuntimeError, ValueError, KeyError, TypeError) as err:
                raise CascadeError(Errors.C013.format(path=path, why=err)) from err
            self._settle()

    def release(self, name: str) -> None:
        """Nobody uses this adapter any more.

        It goes when the next one comes: now, the model may be running.
        """
        self._released.append(name)

    def _settle(self) -> None:
        """No adapter is on, as before."""
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # peft names another one active; which one is, is set below
            for name in self._released:
                if name in self._peft.peft_config:
                    self._peft.delete_adapter(name)
        self._released.clear()
        if not self.spread:
            self._peft.to(self.device)
        self._peft.eval()
        self._peft.base_model.disable_adapter_layers()

    def save_adapter(self, name: str, path: Path) -> None:
        import peft
        from safetensors.torch import save_file

        path.mkdir(parents=True, exist_ok=True)
        # "auto" would ask the hub whether the vocabulary was changed; the fingerprint tells that
        state = peft.get_peft_model_state_dict(
            self._peft, adapter_name=name, save_embedding_layers=False
        )
        state = {k: v.detach().to("cpu").contiguous() for k, v in state.items()}
        save_file(
            state, str(path / "adapter_model.safetensors"), metadata={"format": "pt"}
        )
        config = self._peft.peft_config[name]
        # where a base lay on this machine helps nobody elsewhere
        config.base_model_name_or_path = (
            None if Path(self.name).is_absolute() else self.name
        )
        config.inference_mode = True
        config.save_pretrained(str(path))

    def adapter(self, name: str | None) -> AbstractContextManager[None]:
        """Use this adapter (None: the bare base) inside the context, added to the
        weights where that is wanted. Switching is skipped if it is on already, so that
        alternating stages pay only for real changes.
        """
        return self._turns.turn(
            _Merged(name) if self.merges and name is not None else name
        )

    def alone(self, name: str | None = None) -> AbstractContextManager[None]:
        """The same for who changes weights or adapters: no other thread uses the model
        meanwhile, and nothing is added to the weights.
        """
        return self._turns.turn(name, alone=True)

    def _without_merged(self) -> AbstractContextManager[None]:
        """For who reads the weights of the base."""
        return self.alone() if self.merges else nullcontext()

    def _switch(self, state: Any) -> None:
        """state (str | _Merged | None): The adapter to use, and how."""
        if self._peft is None:
            return
        name = state.adapter if isinstance(state, _Merged) else state
        self._merge(None)  # peft would do that at a change, too, but not exactly
        if name is None:
            self._peft.base_model.disable_adapter_layers()
        else:
            self._peft.base_model.enable_adapter_layers()
            self._peft.base_model.set_adapter(name)
        if isinstance(state, _Merged):
            self._merge(name)

    def _merge(self, name: str | None) -> None:
        """Add this adapter to the weights; None: take the one that was added out again, exactly."""
        if name == self._merged or self._peft is None:
            return
        from peft.tuners.lora import Linear

        for layer, weight in self._unmerged.items():
            merged = layer.get_base_layer().weight
            merged.data = weight.to(merged.device)
            layer.merged_adapters.clear()
        self._unmerged.clear()
        self._merged = None
        if name is None:
            return
        for layer in self._peft.modules():
            # others (quantized layers, embeddings that are tied to the output) run
            # beside their adapter as ever
            if not (
                isinstance(layer, Linear)
                and isinstance(layer.get_base_layer(), torch.nn.Linear)
            ):
                continue
            if name in layer.lora_A.keys():  # noqa: SIM118  a ModuleDict
                base: Any = layer.get_base_layer()
                self._unmerged[layer] = base.weight.data.to("cpu")
                base.weight.data = base.weight.data.clone()
                layer.merge(adapter_names=[name])
        self._merged = name

    def adapter_hash(self, name: str) -> str:
        """Identifies an adapter by its values."""
        import hashlib

        import peft

        digest = hashlib.sha256()
        state = peft.get_peft_model_state_dict(
            self._peft, adapter_name=name, save_embedding_layers=False
        )
        for key, value in sorted(state.items()):
            digest.update(key.encode())
            digest.update(value.detach().to("cpu", torch.float32).numpy().tobytes())
        return digest.hexdigest()[:16]

    def adapter_parameters(self, name: str) -> dict[str, Any]:
        """Trainable tensors of an adapter, by name."""
        with self.alone(name):
            return {
                n: p
                for n, p in self.model.named_parameters()
                if p.requires_grad and f".{name}." in f"{n}."
            }
