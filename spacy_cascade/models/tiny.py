"""A tiny causal LM built from nothing: a byte-level BPE tokenizer trained on the corpus
and a small Qwen2 model.

The default base of the demo and of the tests. It is saved like any Hugging Face model
and loaded by the same code.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from .casing import CASE_MARKS, split_case
from .files import atomic_dir
from .neighbours import look_around

SPECIAL_TOKENS = (
    "<pad>",
    "<s>",
    "<sep>",
    "</s>",
    "<mark>",
    "<type>",
    "<mask>",
    *CASE_MARKS.values(),
)


def train_tokenizer(
    segments: Iterable[str],
    *,
    vocab_size: int = 8000,
    case_marks: bool = True,
    types: Iterable[str] = (),
) -> Any:
    """Byte-level BPE over words (see `ty.Unit.segments`), so every text can be written
    and nothing is unknown.

    types (Iterable[str]): Names of types that get a token of their own, beside the
        vocabulary: naming one is then a single decision. In texts they are written like
        all other words.
    RETURNS (PreTrainedTokenizerFast)
    """
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator(
        (split_case(s)[1] if case_marks else s for s in segments), trainer
    )
    special = [*SPECIAL_TOKENS[4:], *(f" {t}" for t in dict.fromkeys(types))]
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        sep_token="<sep>",
        additional_special_tokens=[
            AddedToken(t, special=True, normalized=False) for t in special
        ],
        cascade_case_marks=case_marks,
        clean_up_tokenization_spaces=False,
    )


def build_model(
    vocab_size: int,
    *,
    hidden_size: int = 128,
    layers: int = 4,
    heads: int = 4,
    intermediate_size: int = 384,
    max_length: int = 2048,
    dropout: float = 0.0,
    neighbours: bool = True,
    seed: int = 0,
) -> Qwen2ForCausalLM:
    """Randomly initialized Qwen2 with tied embeddings.

    neighbours (bool): Point the heads of the first layer at neighbouring tokens (see
        `models.neighbours`).
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=vocab_size,
                hidden_size=hidden_size,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                num_key_value_heads=heads,
                intermediate_size=intermediate_size,
                max_position_embeddings=max_length,
                attention_dropout=dropout,
                tie_word_embeddings=True,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=3,
            )
        )
    if neighbours:
        look_around(model)
    return model


def build_base(
    path: Path,
    segments: Iterable[str],
    *,
    vocab_size: int = 8000,
    case_marks: bool = True,
    types: Iterable[str] = (),
    **model: Any,
) -> None:
    """Train the tokenizer, initialize the model, and save both to `path` (atomically)."""
    tokenizer = train_tokenizer(
        segments, vocab_size=vocab_size, case_marks=case_marks, types=types
    )
    lm = build_model(len(tokenizer), **model)
    with atomic_dir(Path(path)) as tmp:
        lm.save_pretrained(str(tmp), safe_serialization=True)
        tokenizer.save_pretrained(str(tmp))
