"""Small decoders on the CPU, run by plain torch.

Where a layer takes a fraction of a millisecond, what stands around its products costs
more than they do. Importing what transformers needs takes longer than all else that
loading a small pipeline does. So the tiny bases of this project (Qwen2's architecture)
are run by `models.plain_decoder`. Whatever goes beyond running them (training, adapters, a
tokenizer's finer points) is left to transformers, which gets the very files that the
model was loaded from.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn

from ..types import Query
from .batching import known
from .files import Json, unpack_dir
from .forward import PassCache
from .hf import HFCausalLM
from .kv import ThreadCache
from .plain_decoder import PlainDecoder
from .spec import HFSpec

if TYPE_CHECKING:
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

    from .protocols import PretrainedLM, States

# Wider layers take their time anyway.
_WIDEST = 512
_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
# What the decoder takes for granted.
_PLAIN = {
    "model_type": "qwen2",
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "rope_scaling": None,
    "attention_dropout": 0.0,
}


def runs_plain(
    spec: HFSpec,
    path: Path,
    device: str,
) -> bool:
    """Whether a model directory holds a small decoder that can be run here, in these settings."""
    if device != "cpu" or spec.attention != "sdpa" or spec.quantization is not None:
        return False
    if spec.dtype not in ("auto", "float32"):
        return False
    if spec.trust_remote_code:  # its own code may do anything
        return False
    if not all((path / name).is_file() for name in _FILES):
        return False
    try:
        config = json.loads((path / "config.json").read_text("utf8"))
        tokenizer = json.loads((path / "tokenizer_config.json").read_text("utf8"))
        # our own tokenizers: there is nothing to know but what the file says
        return _is_plain(config) and "cascade_case_marks" in tokenizer
    except (ValueError, KeyError, TypeError, AttributeError):
        return False  # the general way says what is wrong


def _is_plain(config: Json) -> bool:
    """config (dict): As in config.json."""
    width = config["hidden_size"]
    heads = config["num_attention_heads"]
    dtype = config.get("torch_dtype", config.get("dtype"))
    layer_kinds = set(config.get("layer_types") or ())
    rope_kind = config.get("rope_parameters", {}).get("rope_type", "default")
    return (
        all(config.get(key, value) == value for key, value in _PLAIN.items())
        and dtype in ("float32", "float16")
        and width <= _WIDEST
        and config["num_key_value_heads"] == heads
        and width % heads == 0
        and config.get("head_dim") in (None, width // heads)
        and layer_kinds <= {"full_attention"}
        and rope_kind == "default"
    )


class PlainLM(HFCausalLM):
    """A small decoder, run by `PlainDecoder` until somebody asks for transformers' own model.

    path (Path): A model directory for which `runs_plain` is true.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        spec: HFSpec,
    ):
        self._model: PretrainedLM | None = None
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._reading = threading.RLock()
        self._state = load_file(str(path / "model.safetensors"))
        self._files = {}
        for file in path.iterdir():
            if file.is_file() and file.suffix in (".json", ".txt", ".jinja"):
                self._files[file.name] = file.read_bytes()

        config = json.loads(self._files["config.json"])
        tokenizer_config = json.loads(self._files["tokenizer_config.json"])
        decoder = PlainDecoder(config, self._state)
        size, width = decoder.embeddings.shape
        head = nn.Linear(width, size, bias=False, device="meta")
        head.weight = nn.Parameter(decoder.embeddings, requires_grad=False)
        self._start(
            decoder,
            head,
            Tokenizer.from_str(self._files["tokenizer.json"].decode("utf8")),
            limit=int(config["max_position_embeddings"]),
            case_marks=bool(tokenizer_config.get("cascade_case_marks")),
            name=name,
            spec=spec,
        )

    # -- transformers' own, when somebody asks for it

    @property
    def model(self) -> PretrainedLM:  # type: ignore[override]
        """transformers' model.

        It is the one that runs from now on: who asks for it may change it.
        """
        if self._model is None:
            with self.alone(), self._reading:
                if self._model is None:
                    self._give_way()
        return cast("PretrainedLM", self._model)

    def _give_way(self) -> None:
        model = self._read()[0].eval()
        self.decoder = model.get_decoder()
        self.head = model.get_output_embeddings()
        # what other threads have kept was run by the plain decoder
        self._mine = ThreadCache(self._mine.prefixes.tokens)
        self._model = model
        self._base_as_loaded = self._base_version()

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:  # type: ignore[override]
        """transformers' tokenizer."""
        if self._tokenizer is None:
            with self._reading:
                if self._tokenizer is None:
                    self._tokenizer = self._read()[1]
        return self._tokenizer

    def _read(self) -> tuple[PretrainedLM, PreTrainedTokenizerBase]:
        from .pretrained import read_parts

        with tempfile.TemporaryDirectory() as folder:
            self._write(Path(folder))
            model, tokenizer = read_parts(self.spec, folder, "cpu", local=True)
        model.name_or_path = self.name  # adapters look there for the base's config
        return model, tokenizer

    def after_fork(self) -> None:
        """See `HFCausalLM.after_fork`."""
        super().after_fork()
        self._reading = threading.RLock()

    def _write(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        unpack_dir(self._files, path)
        weights = str(path / "model.safetensors")
        save_file(self._state, weights, metadata={"format": "pt"})

    @property
    def _unchanged(self) -> bool:
        return self._model is None

    def save(self, path: Path) -> None:
        """See `HFCausalLM.save`."""
        if self._unchanged:
            self._write(path)
        else:
            super().save(path)

    def _tensors(self) -> dict[str, torch.Tensor]:
        if not self._unchanged:
            return super()._tensors()
        tied = self._state["model.embed_tokens.weight"]
        return {**self._state, "lm_head.weight": tied}

    def _version(self) -> int:
        return 0 if self._unchanged else super()._version()

    def _base_version(self) -> int:
        return 0 if self._unchanged else super()._base_version()

    def _find(self, token: str) -> int | None:
        assert self._backend is not None
        return cast("int | None", self._backend.token_to_id(token))

    # -- Running

    @property
    def cache_class(self) -> type[PassCache]:
        return PassCache if self._unchanged else super().cache_class

    def run(self, **inputs: object) -> States:
        """Nothing is kept from pass to pass: threads run side by side."""
        return self.decoder(**inputs) if self._unchanged else super().run(**inputs)

    def _answer(self, queries: Sequence[Query]) -> np.ndarray:
        if not self._unchanged:
            return super()._answer(queries)

        most = max(1, *(len(query.positions) for query in queries))
        asked = np.zeros((len(queries), most), dtype=np.int64)
        for row, query in enumerate(queries):
            asked[row, : len(query.positions)] = np.asarray(query.positions) - known(
                query
            )
        hidden = self.hidden_states(queries, output_positions=torch.from_numpy(asked))
        columns = [k for query in queries for k in range(len(query.positions))]
        return self._logits(queries, hidden, columns)
