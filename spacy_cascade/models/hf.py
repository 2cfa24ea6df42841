"""Hugging Face causal LMs in this process."""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..decoding.tree import ancestor_mask
from ..errors import CascadeError, Errors
from ..types import Query
from .adapters import Adapters
from .batching import batches_of, known, new_tokens, out_of_memory
from .encoding import Encoding
from .forks import keep_tokenizers_quiet, watch
from .kv import KVPool, PassCache, cached_states, positions, transformers_cache
from .probe import probe
from .recall import KVPrefixStore
from .spec import HFSpec

logger = logging.getLogger("spacy_cascade")
keep_tokenizers_quiet()

# What a forward pass costs beyond its tokens, in tokens; on a CPU and on other devices.
_CALL_TOKENS = (64, 1024)


class _Working(threading.local):
    """What one thread remembers of what it has run: its pool, as long as there are rows
    in it, and what one stage leaves to the next.
    """

    pool: weakref.ref[KVPool] | None = None

    def __init__(self, tokens: int):
        self.prefixes = KVPrefixStore(tokens)


class HFCausalLM(Adapters, Encoding):
    """A causal LM with its tokenizer, and any number of named LoRA adapters on it.

    Only hidden states at asked positions meet the output embedding, and of that only
    the candidates' rows: logits over the whole vocabulary never exist for a whole
    sequence.

    It may be used by several threads. What a call remembers belongs to its thread;
    weights and adapters are changed while nobody else is inside (`models.turns`).

    key (tuple | None): What it is known by in this process, if it is shared. on_hub
        (bool): Whether its spec's name says all.
    """

    key: tuple[Any, ...] | None = None
    on_hub = False

    def __init__(self, model: Any, tokenizer: Any, *, name: str, spec: HFSpec):
        self.model = model.eval()
        self.tokenizer = tokenizer
        decoder = (
            model.get_decoder() if hasattr(model, "get_decoder") else model.base_model
        )
        limit = int(getattr(model.config, "max_position_embeddings", 0) or 2048)
        marks = bool(tokenizer.init_kwargs.get("cascade_case_marks"))
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._start(
            decoder,
            model.get_output_embeddings(),
            backend,
            limit=limit,
            case_marks=marks,
            name=name,
            spec=spec,
        )
        self._base_as_loaded = self._base_version()
        self.exact_rows, self.trees, self.rows = probe(self)

    def _start(
        self,
        decoder: Any,
        head: Any,
        backend: Any,
        *,
        limit: int,
        case_marks: bool,
        name: str,
        spec: HFSpec,
    ) -> None:
        Adapters.__init__(self)
        Encoding.__init__(self, backend, case_marks)
        self.name = name
        self.spec = spec
        self.decoder = decoder
        self.head = head
        self.batch_tokens = spec.batch_tokens
        self.cache_tokens = spec.cache_tokens
        self.max_length = min(spec.max_length, limit) if spec.max_length else limit
        self._working = _Working(spec.cache_tokens // 2)
        self._running = threading.RLock()
        self._base_as_loaded = 0
        watch(self)
        self.merges = spec.merge_adapter
        self.spread = bool(spec.device_map)

    @property
    def embeddings(self) -> list[Any]:
        """The input and the output embedding: one tensor where they are tied."""
        return [self.model.get_input_embeddings().weight, self.head.weight]

    # -- Running
    # ----------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        return self.head.weight.device

    @property
    def cache_class(self) -> type[PassCache]:
        """What the decoder takes as its cache."""
        return transformers_cache()

    def hidden_states(self, queries: Sequence[Query], **options: Any) -> torch.Tensor:
        """Last hidden states of one batch, of what their rows do not hold yet.

        Shape (queries, longest, width).

        options: For the decoder.
        """
        longest = max(len(q.ids) for q in queries)
        if longest > self.max_length:
            deepest = max(int(positions(q).max()) + 1 for q in queries)
            if deepest > self.max_length:
                raise CascadeError(
                    Errors.C022.format(found=deepest, limit=self.max_length)
                )
        if queries[0].row is not None:
            return cached_states(self, queries, **options)
        ids = np.zeros((len(queries), longest), dtype=np.int64)
        for row, q in enumerate(queries):
            ids[row, : len(q.ids)] = q.ids
        x = torch.from_numpy(ids).to(self.device)
        if all(q.parents is None and q.depths is None for q in queries):
            # Padding stands on the right, where causal attention never looks: no mask is needed.
            return self.run(input_ids=x, use_cache=False, **options).last_hidden_state
        see = np.zeros((len(queries), longest, longest), dtype=bool)
        pos = np.zeros((len(queries), longest), dtype=np.int64)
        see[:, np.arange(longest), np.arange(longest)] = True
        for row, q in enumerate(queries):
            n = len(q.ids)
            see[row, :n, :n] = (
                np.tri(n, dtype=bool) if q.parents is None else ancestor_mask(q.parents)
            )
            pos[row, :n] = positions(q)
        dtype = self.head.weight.dtype
        mask = torch.zeros(see.shape, dtype=dtype).masked_fill_(
            torch.from_numpy(~see), torch.finfo(dtype).min
        )
        return self.run(
            input_ids=x,
            attention_mask=mask[:, None].to(self.device),
            position_ids=torch.from_numpy(pos).to(self.device),
            use_cache=False,
            **options,
        ).last_hidden_state

    def run(self, **inputs: Any) -> Any:
        """One pass of the decoder.

        They take turns: models of transformers may keep something from pass to pass, as
        the rotary tables of those that stretch with the longest sequence.
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

        columns (Sequence[int]): Where the hidden states of all these positions are, if
            they are not of all nodes.
        RETURNS: float32 logits (positions, most candidates) with -inf padding, and a
            bool mask of the same shape.
        """
        rows = [r for r, q in enumerate(queries) for _ in q.positions]
        cols = (
            [p for q in queries for p in q.positions]
            if columns is None
            else list(columns)
        )
        cands = [c for q in queries for c in q.candidates]
        width = max(map(len, cands))
        table = np.zeros((len(cands), width), dtype=np.int64)
        mask = np.zeros((len(cands), width), dtype=bool)
        for i, c in enumerate(cands):
            table[i, : len(c)] = c
            mask[i, : len(c)] = True
        where = torch.from_numpy(table).to(self.device)
        keep = torch.from_numpy(mask).to(self.device)
        h = hidden[rows, cols].to(self.device)
        if self.exact_rows:
            logits = torch.einsum("ph,pch->pc", h, self.head.weight[where])
            if getattr(self.head, "bias", None) is not None:
                logits = logits + self.head.bias[where]
        else:
            logits = self.all_logits(h).gather(1, where)
        return logits.float().masked_fill(~keep, float("-inf")), keep

    def all_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits over the whole vocabulary, with the model's own scaling. Shape (n, vocabulary)."""
        logits = self.head(hidden)
        config = self.model.config
        if getattr(config, "logit_scale", None):
            logits = logits * config.logit_scale
        if getattr(config, "logits_scaling", None):
            logits = logits / config.logits_scaling
        cap = getattr(config, "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    def cache_pool(self, tokens: int) -> KVPool | None:
        """See `ty.CausalLM.cache_pool`.

        A thread has one pool at a time; it goes when its last row does.
        """
        if not (self.rows and self.cache_tokens):
            return None
        mine = self._working
        pool = mine.pool() if mine.pool is not None else None
        if pool is None:
            pool = KVPool(min(tokens, self.cache_tokens))
            mine.pool = weakref.ref(pool)
        pool.reserve(min(tokens, self.cache_tokens))
        return pool

    @property
    def prefixes(self) -> KVPrefixStore:
        """See `ty.CausalLM.prefixes`: what this thread has run.

        Empty as soon as weights or the adapter in use have changed.
        """
        return self._recall.of((self._turns.state, self._version()))

    @property
    def _recall(self) -> KVPrefixStore:
        return self._working.prefixes

    def _version(self) -> int:
        """Another one whenever weights have changed."""
        return sum(p._version for p in self.model.parameters())

    def _base_version(self) -> int:
        return sum(
            p._version for n, p in self.model.named_parameters() if ".lora_" not in n
        )

    @torch.no_grad()
    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """See `ty.CausalLM.candidate_logits`.

        Splits into batches by length; the order of `queries` does not matter.
        """
        if not self.trees and any(q.parents is not None for q in queries):
            from .linear import candidate_logits_without_trees

            return candidate_logits_without_trees(self, queries)
        out: list[np.ndarray] = [np.zeros((0, 0), dtype=np.float32)] * len(queries)
        batches = list(
            self.batches(queries, padding=_CALL_TOKENS[self.device.type != "cpu"])
        )
        while batches:
            batch = batches.pop()
            part = [queries[i] for i in batch]
            if not any(q.positions or q.row is not None for q in part):
                continue
            try:
                logits = self._answer(part)
            except (RuntimeError, MemoryError) as err:
                if len(batch) == 1 or not out_of_memory(err):
                    raise
                self._less(len(batch) // 2 * max(map(new_tokens, part)))
                batches += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
                continue
            row = 0
            for i in batch:
                n = len(queries[i].positions)
                out[i] = logits[row : row + n]
                row += n
        return out

    def _answer(self, queries: Sequence[Query]) -> np.ndarray:
        columns = [p - known(q) for q in queries for p in q.positions]
        hidden = self.hidden_states(queries)
        return self._logits(queries, hidden, columns)

    def _logits(
        self, queries: Sequence[Query], hidden: torch.Tensor, columns: Sequence[int]
    ) -> np.ndarray:
        if not columns:
            return np.zeros((0, 0), dtype=np.float32)
        return self.gather(queries, hidden, columns)[0].cpu().numpy()

    def _less(self, tokens: int) -> None:
        """Batches of this size did not fit into memory; the next ones are made smaller."""
        logger.warning(
            "Out of memory: batches are cut to %d tokens from now on", tokens
        )
        self.batch_tokens = min(self.batch_tokens, max(1, tokens))
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def batches(
        self, queries: Sequence[Query], *, padding: float = math.inf
    ) -> Iterator[list[int]]:
        """Indices of queries of similar length that fit `batch_tokens` together.

        padding (float): Most tokens that a batch may be filled up with.
        """
        return batches_of(queries, self.batch_tokens, padding)

    def after_fork(self) -> None:
        """Get ready to run in the child (nlp.pipe with n_process): OpenMP's worker
        threads do not survive a fork, and using them hangs; nor do threads that hold
        locks.
        """
        torch.set_num_threads(1)
        self._turns.after_fork()
        self._running = threading.RLock()
        self._tokenizing = threading.Lock()

    # -- Saving
    # -----------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Base weights (without adapters) as safetensors, config and tokenizer."""
        path.mkdir(parents=True, exist_ok=True)
        with self._without_merged():
            state = {}
            for key, value in self.model.state_dict().items():
                if ".lora_" in key or ".modules_to_save." in key:
                    continue
                state[key.replace(".base_layer.", ".")] = value
            self.model.save_pretrained(
                str(path), state_dict=state, safe_serialization=True
            )
        self.tokenizer.save_pretrained(str(path))

    @property
    def base_changed(self) -> bool:
        """Whether the base's weights are not what was loaded."""
        return self._base_version() != self._base_as_loaded

    def _tensors(self) -> dict[str, torch.Tensor]:
        """All weights by their names in transformers."""
        return dict(self.model.state_dict())

    def fingerprint(self) -> str:
        """Identifies the base weights by sampled values, whatever file, dtype or device
        they are in.
        """
        import hashlib

        digest = hashlib.sha256()
        with self._without_merged():
            # detached: a later merge puts other tensors into the same parameters
            tensors = sorted((k, v.detach()) for k, v in self._tensors().items())
        for key, value in tensors:
            if ".lora_" in key or value.numel() == 0 or not value.is_floating_point():
                continue
            flat = value.detach().reshape(-1)
            sample = flat[:: max(1, flat.numel() // 1024)][:1024].to(
                "cpu", torch.bfloat16
            )
            digest.update(key.replace(".base_layer.", ".").encode())
            digest.update(sample.view(torch.int16).numpy().tobytes())
        return digest.hexdigest()[:16]
