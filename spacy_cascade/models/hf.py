"""Hugging Face causal LMs in this process."""

from __future__ import annotations

import hashlib
import logging
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ..errors import CascadeError, Errors
from ..types import Query
from .adapters import Adapters
from .batching import (
    batches_of,
    known,
    logits_without_trees,
    new_tokens,
    out_of_memory,
)
from .encoding import Encoding
from .forward import (
    PassCache,
    cached_states,
    full_states,
    positions,
    transformers_cache,
)
from .kv import KVPool, KVPrefixStore, ThreadCache
from .locks import keep_tokenizers_quiet, watch
from .probe import probe
from .spec import HFSpec

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

    from .protocols import Decoder, PretrainedLM, States

logger = logging.getLogger("spacy_cascade")
keep_tokenizers_quiet()

# What a forward pass costs beyond its tokens, in tokens.
_CALL_TOKENS_CPU = 64
_CALL_TOKENS_GPU = 1024
# Values of each tensor that a fingerprint looks at.
_SAMPLES = 1024


class HFCausalLM(Adapters, Encoding):
    """A causal LM with its tokenizer, and any number of named LoRA adapters on it.

    Only hidden states at asked positions meet the output embedding, and of that only
    the candidates' rows: logits over the whole vocabulary never exist for a whole
    sequence.

    It may be used by several threads. What a call remembers belongs to its thread.
    Weights and adapters are changed while nobody else is inside (`models.locks`).

    key (tuple | None): What it is known by in this process, if it is shared.
    on_hub (bool): Whether its spec's name says all.
    """

    model: PretrainedLM
    tokenizer: PreTrainedTokenizerBase
    key: tuple[object, ...] | None = None
    on_hub = False

    def __init__(
        self,
        model: PretrainedLM,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        spec: HFSpec,
    ):
        self.model = model.eval()
        self.tokenizer = tokenizer
        has_decoder = hasattr(model, "get_decoder")
        limit = int(getattr(model.config, "max_position_embeddings", 0) or 2048)
        self._start(
            model.get_decoder() if has_decoder else model.base_model,
            model.get_output_embeddings(),
            getattr(tokenizer, "backend_tokenizer", None),
            limit=limit,
            case_marks=bool(tokenizer.init_kwargs.get("cascade_case_marks")),
            name=name,
            spec=spec,
        )
        self._base_as_loaded = self._base_version()
        abilities = probe(self)
        self.exact_rows = abilities.exact_rows
        self.trees = abilities.trees
        self.rows = abilities.rows

    def _start(
        self,
        decoder: Decoder,
        head: nn.Linear,
        backend: Tokenizer | None,
        *,
        limit: int,
        case_marks: bool,
        name: str,
        spec: HFSpec,
    ) -> None:
        """Everything but the model and the tokenizer themselves."""
        Adapters.__init__(self)
        Encoding.__init__(self, backend, case_marks)
        self.name = name
        self.spec = spec
        self.decoder = decoder
        self.head = head
        self.batch_tokens = spec.batch_tokens
        self.cache_tokens = spec.cache_tokens
        self.max_length = min(spec.max_length, limit) if spec.max_length else limit
        self.exact_rows = True
        self.trees = True
        self.rows = True
        self.merges = spec.merge_adapter
        self.spread = bool(spec.device_map)
        self._mine = ThreadCache(spec.cache_tokens // 2)
        self._running = threading.RLock()
        self._base_as_loaded = 0
        watch(self)

    @property
    def embeddings(self) -> list[torch.Tensor]:
        """The input and the output embedding: one tensor where they are tied."""
        return [self.model.get_input_embeddings().weight, self.head.weight]

    # -- Running

    @property
    def device(self) -> torch.device:
        return self.head.weight.device

    @property
    def cache_class(self) -> type[PassCache]:
        """What the decoder takes as its cache."""
        return transformers_cache()

    def hidden_states(
        self,
        queries: Sequence[Query],
        **options: object,
    ) -> torch.Tensor:
        """Last hidden states of one batch, of what their rows do not hold yet.

        options: For the decoder.
        RETURNS (Tensor): Shape (queries, longest, width).
        RAISES CascadeError: C022 if a query is too long for the model.
        """
        longest = max(len(query.ids) for query in queries)
        if longest > self.max_length:
            # branches of a tree share positions
            deepest = max(int(positions(query).max()) + 1 for query in queries)
            if deepest > self.max_length:
                raise CascadeError(
                    Errors.C022.format(found=deepest, limit=self.max_length)
                )
        if queries[0].row is not None:
            return cached_states(self, queries, **options)
        return full_states(self, queries, **options)

    def run(self, **inputs: object) -> States:
        """One pass of the decoder, one thread at a time.

        Models of transformers may keep something from pass to pass, as the rotary tables
        of those that stretch with the longest sequence.
        """
        with self._running:
            return self.decoder(**inputs)

    def gather(
        self,
        queries: Sequence[Query],
        hidden: torch.Tensor,
        columns: Sequence[int] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Candidate logits at all asked positions of a batch.

        hidden (Tensor): Shape (queries, tokens, width).
        columns (Sequence[int]): Where the hidden states of all these positions are, if
            they are not of all nodes.
        RETURNS: float32 logits (positions, most candidates) with -inf padding, and a
            bool mask of the same shape.
        """
        rows = [r for r, query in enumerate(queries) for _ in query.positions]
        if columns is None:
            columns = [p for query in queries for p in query.positions]
        candidates = [c for query in queries for c in query.candidates]

        shape = len(candidates), max(map(len, candidates))
        table = np.zeros(shape, dtype=np.int64)
        filled = np.zeros(shape, dtype=bool)
        for i, ids in enumerate(candidates):
            table[i, : len(ids)] = ids
            filled[i, : len(ids)] = True
        where = torch.from_numpy(table).to(self.device)
        keep = torch.from_numpy(filled).to(self.device)

        asked = hidden[rows, list(columns)].to(self.device)  # (positions, width)
        if self.exact_rows:
            candidate_rows = self.head.weight[where]  # (positions, candidates, width)
            logits = torch.einsum("ph,pch->pc", asked, candidate_rows)
            if getattr(self.head, "bias", None) is not None:
                logits = logits + self.head.bias[where]
        else:
            logits = self.all_logits(asked).gather(1, where)
        return logits.float().masked_fill(~keep, float("-inf")), keep

    def all_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits over the whole vocabulary, with the model's own scaling.

        hidden (Tensor): Shape (n, width).
        RETURNS (Tensor): Shape (n, vocabulary).
        """
        logits: torch.Tensor = self.head(hidden)
        config = self.model.config
        if getattr(config, "logit_scale", None):
            logits = logits * config.logit_scale  # type: ignore[attr-defined]
        if getattr(config, "logits_scaling", None):
            logits = logits / config.logits_scaling  # type: ignore[attr-defined]
        cap = getattr(config, "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    # -- Remembering

    def cache_pool(self, tokens: int) -> KVPool | None:
        """See `ty.CausalLM.cache_pool`.

        A thread has one pool at a time.
        """
        if not (self.rows and self.cache_tokens):
            return None
        return self._mine.pool_for(min(tokens, self.cache_tokens))

    @property
    def prefixes(self) -> KVPrefixStore:
        """See `ty.CausalLM.prefixes`: what this thread has run.

        Empty as soon as weights or the adapter in use have changed.
        """
        return self._mine.prefixes.of((self._lock.state, self._version()))

    def _version(self) -> int:
        """Another one whenever weights have changed."""
        return sum(p._version for p in self.model.parameters())

    def _base_version(self) -> int:
        """The same, of the weights without adapters."""
        parameters = self.model.named_parameters()
        return sum(p._version for name, p in parameters if ".lora_" not in name)

    @property
    def base_changed(self) -> bool:
        """Whether the base's weights are not what was loaded."""
        return self._base_version() != self._base_as_loaded

    # -- Answering

    @torch.no_grad()
    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """See `ty.CausalLM.candidate_logits`.

        Splits into batches by length; the order of `queries` does not matter.
        """
        if not self.trees and any(query.parents is not None for query in queries):
            return logits_without_trees(self, queries)

        out: list[np.ndarray] = [np.zeros((0, 0), dtype=np.float32)] * len(queries)
        on_cpu = self.device.type == "cpu"
        padding = _CALL_TOKENS_CPU if on_cpu else _CALL_TOKENS_GPU
        batches = list(self.batches(queries, padding=padding))
        while batches:
            batch = batches.pop()
            part = [queries[i] for i in batch]
            if not any(q.positions or q.row is not None for q in part):
                continue
            try:
                logits = self._answer(part)
            except (RuntimeError, MemoryError) as err:
                half = len(batch) // 2
                if not half or not out_of_memory(err):
                    raise
                self._shrink_batches(half * max(map(new_tokens, part)))
                batches += [batch[:half], batch[half:]]
                continue

            start = 0
            for i in batch:
                end = start + len(queries[i].positions)
                out[i] = logits[start:end]
                start = end
        return out

    def _answer(self, queries: Sequence[Query]) -> np.ndarray:
        """Candidate logits of one batch. Shape (positions, most candidates)."""
        columns = [p - known(query) for query in queries for p in query.positions]
        hidden = self.hidden_states(queries)
        return self._logits(queries, hidden, columns)

    def _logits(
        self,
        queries: Sequence[Query],
        hidden: torch.Tensor,
        columns: Sequence[int],
    ) -> np.ndarray:
        if not columns:
            return np.zeros((0, 0), dtype=np.float32)
        logits, _ = self.gather(queries, hidden, columns)
        return logits.cpu().numpy()

    def _shrink_batches(self, tokens: int) -> None:
        """Batches of this size did not fit into memory; the next ones are made smaller."""
        logger.warning(
            "Out of memory: batches are cut to %d tokens from now on",
            tokens,
        )
        self.batch_tokens = min(self.batch_tokens, max(1, tokens))
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def batches(
        self,
        queries: Sequence[Query],
        *,
        padding: float = math.inf,
    ) -> Iterator[list[int]]:
        """Indices of queries of similar length that fit `batch_tokens` together.

        padding (float): Most tokens that a batch may be filled up with.
        """
        return batches_of(queries, self.batch_tokens, padding)

    def after_fork(self) -> None:
        """Get ready to run in a forked child (`nlp.pipe` with `n_process`).

        OpenMP's worker threads do not survive a fork, and using them hangs. Nor do
        threads that hold locks.
        """
        torch.set_num_threads(1)
        self._lock.after_fork()
        self._running = threading.RLock()
        self._tokenizing = threading.Lock()

    # -- Saving

    def save(self, path: Path) -> None:
        """Base weights (without adapters) as safetensors, config and tokenizer."""
        path.mkdir(parents=True, exist_ok=True)
        with self._without_merged():
            state = {}
            for key, value in self.model.state_dict().items():
                if ".lora_" not in key and ".modules_to_save." not in key:
                    state[key.replace(".base_layer.", ".")] = value
            self.model.save_pretrained(
                str(path),
                state_dict=state,
                safe_serialization=True,
            )
        self.tokenizer.save_pretrained(str(path))

    def _tensors(self) -> dict[str, torch.Tensor]:
        """All weights by their names in transformers."""
        return dict(self.model.state_dict())

    def fingerprint(self) -> str:
        """Identifies the base weights by sampled values, whatever file, dtype or device
        they are in.
        """
        with self._without_merged():
            # detached: a later merge puts other tensors into the same parameters
            tensors = {k: v.detach() for k, v in self._tensors().items()}

        digest = hashlib.sha256()
        for key, value in sorted(tensors.items()):
            if ".lora_" in key or value.numel() == 0 or not value.is_floating_point():
                continue
            flat = value.reshape(-1)
            step = max(1, flat.numel() // _SAMPLES)
            sample = flat[::step][:_SAMPLES].to("cpu", torch.bfloat16)
            digest.update(key.replace(".base_layer.", ".").encode())
            digest.update(sample.view(torch.int16).numpy().tobytes())
        return digest.hexdigest()[:16]
