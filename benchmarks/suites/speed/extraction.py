"""Copy-verified decoding against `generate` on the same weights, at batch 1 and 16.

    python benchmarks/run.py speed.extraction --model training/pipeline --data corpus/test.spacy

`generate` runs greedily, with its KV cache, for exactly as many tokens as the marked
copy of each sentence has (the longest of a batch), without any constraint: it is given
every advantage, and may write nonsense.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import spacy
import torch

from benchmarks import options
from benchmarks.common import read
from benchmarks.random_models import left_padded
from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.decoding.copy import Job, decode
from spacy_cascade.decoding.stepwise import decode_stepwise
from spacy_cascade.pipeline.windows import make_unit

SIZES = (1, 16)


def run(
    model: options.Model = "training/pipeline",
    data: options.Gold = Path("corpus/test.spacy"),
    limit: Annotated[int, "sentences for copy verification"] = 320,
    generate_limit: Annotated[int, "sentences for generate, of the same sample"] = 96,
    check: Annotated[int, "sentences to compare with step-by-step decoding"] = 48,
) -> dict[str, Any]:
    """Compare at both batch sizes.

    RETURNS (dict): Names that end on `_b1` and `_b16` are figures of a batch size.
        `passes` and `tokens` are means over sentences.
    """
    nlp = spacy.load(model)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    gold = read(data, nlp)
    docs = [nlp.make_doc(doc.text) for doc in gold]
    filled = [doc for doc in docs if len(doc)][:limit]
    units = [make_unit(doc, 0, len(doc)) for doc in filled]
    # Neighbours of like length, as users of nlp.pipe would batch; both ways get the same.
    units.sort(key=lambda unit: len(unit.tokens))
    step = max(1, len(units) // generate_limit)
    sample = units[::step][:generate_limit]

    copy_verified(pipe, units[:16], 16)
    out: dict[str, Any] = {}
    for size in SIZES:
        out |= beside(pipe, units, sample, size)
    out["equal_to_stepwise"] = checked(pipe, sample[:check])
    return {
        **out,
        "sentences": len(units),
        "sample": len(sample),
        "threads": torch.get_num_threads(),
        "device": str(pipe.lm.device),
        "parameters": sum(p.numel() for p in pipe.lm.model.parameters()),
    }


def beside(
    pipe: Any,
    units: list[Any],
    sample: list[Any],
    size: int,
) -> dict[str, Any]:
    """Both ways on the sample, ours on all."""
    some, seconds = copy_verified(pipe, sample, size)
    slow = generated(pipe, some, size)
    every, all_seconds = copy_verified(pipe, units, size)
    passes = sum(job.passes for job in every)
    tokens = sum(len(job.tokens) for job in every)
    return {
        f"speedup_b{size}": round(slow / seconds, 2),
        f"generate_sentences_per_second_b{size}": round(len(sample) / slow, 1),
        f"sentences_per_second_b{size}": round(len(units) / all_seconds, 1),
        "passes": round(passes / len(every), 2),
        "tokens": round(tokens / len(every), 1),
    }


def checked(pipe: Any, sample: list[Any]) -> str:
    """How many of the sentences come out as in step-by-step decoding."""
    slow = jobs_of(pipe, sample)
    with pipe.weights.active():
        decode_stepwise(pipe.lm, slow)
    fast, _ = copy_verified(pipe, sample, 16)
    equal = 0
    for a, b in zip(slow, fast, strict=True):
        equal += a.tokens == b.tokens
    return f"{equal}/{len(slow)}"


def jobs_of(pipe: Any, units: list[Any]) -> list[Job]:
    """Jobs without a draft: every mark has to be found."""
    out = []
    for unit in units:
        guess = Guess(unit)
        out.append(pipe.template.job(pipe.lm, unit, guess))
    return out


def copy_verified(
    pipe: Any,
    units: list[Any],
    size: int,
) -> tuple[list[Job], float]:
    """Decode in batches.

    size (int): Sentences at a time.
    RETURNS (tuple): What was decoded, and seconds.
    """
    done: list[Job] = []
    start = time.perf_counter()
    with pipe.weights.active():
        for i in range(0, len(units), size):
            batch = units[i : i + size]
            jobs = jobs_of(pipe, batch)
            decode(pipe.lm, jobs)
            done += jobs
    return done, time.perf_counter() - start


@torch.no_grad()
def generated(
    pipe: Any,
    jobs: list[Job],
    size: int,
) -> float:
    """RETURNS: seconds."""
    model = pipe.lm.model
    pad = pipe.lm.tokenizer.pad_token_id or 0
    start = time.perf_counter()
    with pipe.weights.active():
        for i in range(0, len(jobs), size):
            batch = jobs[i : i + size]
            prompts = [job.prompt for job in batch]
            ids, mask = left_padded(prompts, pipe.lm.device, pad)
            new = max(len(job.tokens) for job in batch)
            model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=new,
                min_new_tokens=new,
                do_sample=False,
                pad_token_id=pad,
            )
    return time.perf_counter() - start
