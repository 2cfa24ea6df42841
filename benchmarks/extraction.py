"""Copy-verified decoding against `generate` on the same weights, at batch 1 and 16.

    python benchmarks/extraction.py --model training/pipeline --data corpus/test.spacy

`generate` runs greedily, with its KV cache, for exactly as many tokens as the marked
copy of each sentence has (the longest of a batch), without any constraint: it is given
every advantage, and may write nonsense. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import spacy
import torch
from spacy.tokens import DocBin

from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.decoding.copy import Job, decode, decode_stepwise
from spacy_cascade.pipeline.windows import make_unit


def jobs_of(pipe: Any, units: list[Any]) -> list[Job]:
    return [pipe.template.job(pipe.lm, unit, Guess(unit)) for unit in units]


def copy_verified(pipe: Any, units: list[Any], size: int) -> tuple[list[Job], float]:
    done: list[Job] = []
    start = time.perf_counter()
    with pipe.weights.active():
        for i in range(0, len(units), size):
            jobs = jobs_of(pipe, units[i : i + size])
            decode(pipe.lm, jobs)
            done += jobs
    return done, time.perf_counter() - start


@torch.no_grad()
def generated(pipe: Any, jobs: list[Job], size: int) -> float:
    model, pad = pipe.lm.model, pipe.lm.tokenizer.pad_token_id or 0
    start = time.perf_counter()
    with pipe.weights.active():
        for i in range(0, len(jobs), size):
            batch = jobs[i : i + size]
            longest = max(len(j.prompt) for j in batch)
            ids = torch.tensor(
                [[pad] * (longest - len(j.prompt)) + j.prompt for j in batch],
                device=pipe.lm.device,
            )
            mask = torch.tensor(
                [[0] * (longest - len(j.prompt)) + [1] * len(j.prompt) for j in batch],
                device=pipe.lm.device,
            )
            new = max(len(j.tokens) for j in batch)
            model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=new,
                min_new_tokens=new,
                do_sample=False,
                pad_token_id=pad,
            )
    return time.perf_counter() - start


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--model",
        default="training/pipeline",
        help="a pipeline with a cascade_extractor",
    )
    ap.add_argument("--data", type=Path, default=Path("corpus/test.spacy"))
    ap.add_argument(
        "--limit", type=int, default=320, help="sentences for copy verification"
    )
    ap.add_argument(
        "--generate-limit",
        type=int,
        default=96,
        help="sentences for generate, of the same sample",
    )
    ap.add_argument(
        "--check",
        type=int,
        default=48,
        help="sentences to compare with step-by-step decoding",
    )
    args = ap.parse_args()
    nlp = spacy.load(args.model)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    docs = [
        nlp.make_doc(d.text) for d in DocBin().from_disk(args.data).get_docs(nlp.vocab)
    ]
    units = [make_unit(d, 0, len(d)) for d in docs if len(d)][: args.limit]
    # neighbours of like length, as nlp.pipe's users would batch; both ways get the same batches
    units.sort(key=lambda u: len(u.tokens))
    step = max(1, len(units) // args.generate_limit)
    sample = units[::step][: args.generate_limit]
    copy_verified(pipe, units[:16], 16)
    out: dict[str, Any] = {}
    for size in (1, 16):
        some, seconds = copy_verified(pipe, sample, size)
        slow = generated(pipe, some, size)
        out[f"speedup_b{size}"] = round(slow / seconds, 2)
        out[f"generate_sentences_per_second_b{size}"] = round(len(sample) / slow, 1)
        every, seconds = copy_verified(pipe, units, size)
        out[f"sentences_per_second_b{size}"] = round(len(units) / seconds, 1)
        out["passes"] = round(sum(j.passes for j in every) / len(every), 2)
        out["tokens"] = round(sum(len(j.tokens) for j in every) / len(every), 1)
    check = jobs_of(pipe, sample[: args.check])
    with pipe.weights.active():
        decode_stepwise(pipe.lm, check)
    fast, _ = copy_verified(pipe, sample[: args.check], 16)
    out["equal_to_stepwise"] = (
        f"{sum(a.tokens == b.tokens for a, b in zip(check, fast, strict=True))}/{len(check)}"
    )
    out |= {
        "sentences": len(units),
        "sample": len(sample),
        "threads": torch.get_num_threads(),
        "device": str(pipe.lm.device),
    }
    out["parameters"] = sum(p.numel() for p in pipe.lm.model.parameters())
    print(json.dumps(out))


if __name__ == "__main__":
    main()
