"""The decoding engine against `generate` on the same weights, sentences and decisions.

    python benchmarks/run.py decoding.engine --shape tiny --sentences 200
    python benchmarks/run.py decoding.engine --shape qwen2.5-0.5b --sentences 16 --slow 4

(a) the published algorithm: one `generate` per sentence, then one per mention and level
(CascadeNER, arXiv 2409.11022); (b) the same with batched `generate`, the best of
--batch; (c) prompt-lookup decoding (extraction, one by one); (d) this project; (e) the
floor: one forward pass over prompt and marked sentence, tokens packed.

Weights are random, so all ways are told what to write: the mentions are the gold ones
(a drafter guesses them, as it would in use), and the types those that (d) arrives at.
(a) to (c) get their tokens through a logits processor, with KV cache and for exactly as
many tokens as the answer has; (d) runs the model and has its decisions replaced. Ratios
compare the times of the same sentences.

With a chat prompt there is a second (d), `classification_continued`:
`ChatClassifyContinued`, whose mentions and levels go on from one reading of the
sentence, in `cascade_continued` from that of the extractor. (a) and (b) still ask the
published questions; `vs_own_generate` compares with one `generate` per mention over its
own prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch

from benchmarks import options
from benchmarks.common import blank, clock, evenly, report, rounded, set_clock
from benchmarks.device import peak_mib, reset_peak, wait
from benchmarks.random_models import (
    DEVICE,
    MINI_TEST,
    MINI_TRAIN,
    TEMPLATES,
    Gold,
    GoldLM,
    Shape,
    build,
    generate,
    read_gold,
    segments_of,
    usual_dtype,
    usual_prompt,
    words_of,
)
from benchmarks.suites.decoding._stages import (
    Engine,
    Pair,
    best_of,
    by_length,
    mentions,
    questions,
    ratios,
    whole_answers,
)
from spacy_cascade.decoding.copy import Job
from spacy_cascade.decoding.drafters import CuesDrafter, EntsDrafter, TaggerDrafter
from spacy_cascade.models.hf import HFCausalLM
from spacy_cascade.models.int8 import use_int8
from spacy_cascade.pipeline.typer import Typer
from spacy_cascade.prompts.continued import ChatClassifyContinued
from spacy_cascade.taxonomy import builtin

# For chat prompts: the same task, asked once per sentence; begins like the extractor's prompt.
CONTINUED: dict[str, Callable[[], Any]] = {
    "chat": ChatClassifyContinued,
    "cascadener": lambda: ChatClassifyContinued(instruction=""),
}
DRAFTERS = {"cues": CuesDrafter, "tagger": TaggerDrafter, "gold": EntsDrafter}


def run(
    shape: Shape = "tiny",
    device: str = DEVICE,
    dtype: Annotated[str, "auto: bfloat16 on a GPU, else float32"] = "auto",
    batch: Annotated[Sequence[int], "sentences at a time; the first is that of (d)"] = (
        8,
        32,
    ),
    prompt: Annotated[
        Literal["compact", "chat", "cascadener"] | None, "compact for tiny, else chat"
    ] = None,
    drafter: Literal["cues", "tagger", "gold"] = "tagger",
    data: Annotated[Sequence[Path], "gold sentences"] = MINI_TEST,
    train: Annotated[Sequence[Path], "for tokenizer and tagger"] = MINI_TRAIN,
    sentences: int = 54,
    slow: Annotated[int, "how many of them for (a), (b) and (c)"] = 16,
    cache_tokens: Annotated[int, "0: whole passes"] = 16384,
    int8: Annotated[bool, "int8 products (on a CPU); for all ways alike"] = False,
    clock: options.Clock = "wall",
) -> dict[str, Any]:
    """Measure all ways on a model of a shape.

    RETURNS (dict): `extraction`, `classification` and `cascade` have speeds, and the ratios
        of times, other way to this project. Memory is in MiB.
    """
    set_clock(clock)
    nlp = blank()
    known = read_gold(nlp, train)
    gold = evenly(read_gold(nlp, data), sentences)
    some = evenly(gold, slow)
    taxonomy = builtin("dynamicner")
    segments = segments_of(known + gold) + words_of(taxonomy)
    kind = usual_dtype(device)
    if dtype != "auto":
        kind = getattr(torch, dtype)
    lm = build(shape, segments, device, kind)
    lm.cache_tokens = cache_tokens
    if int8:
        use_int8(lm.decoder)

    chosen = prompt or usual_prompt(shape)
    extraction, classification = (make() for make in TEMPLATES[chosen])
    guesser = DRAFTERS[drafter]()
    guesser.fit(known)
    gold_lm = GoldLM(lm)
    engine = Engine(gold_lm, extraction, guesser, taxonomy, batch[0])
    out = measure(engine, classification, gold, some, batch)
    seconds = out.pop("seconds")
    if chosen in CONTINUED:
        template = CONTINUED[chosen]()
        out |= continued(engine, template, seconds, gold, some)
    about = {
        "shape": shape,
        "device": str(lm.device),
        "dtype": str(kind),
        "batch": batch[0],
        "sentences": len(gold),
        "slow_sentences": len(some),
        "mentions": len(mentions(gold)),
        "threads": torch.get_num_threads(),
        "drafter": drafter,
        "cache_tokens": cache_tokens,
        "clock": clock,
        "int8": int8,
    }
    return dict(rounded({**out, **about}))


def measure(
    engine: Engine,
    template: Any,
    gold: Sequence[Gold],
    some: Sequence[Gold],
    sizes: Sequence[int],
) -> dict[str, Any]:
    """(a) to (e). The entry `seconds` holds times of (a) and of the best of (a) and (b)."""
    lm = engine.lm
    typer = Typer(template, "progressive", 1, 0.0, False)
    held = reset_peak(lm)
    engine.extract(some[:2])
    jobs, seconds = engine.extract(gold)
    asked = mentions(gold)
    typed = engine.classify(typer, asked)[1]
    extraction: dict[str, Any] = {
        "sentences_per_second": len(gold) / seconds,
        "passes": float(np.mean([job.passes for job in jobs])),
        "as_gold": as_gold(jobs, gold),
        "of_floor": floor(lm, jobs) / seconds,
    }
    classification = {"mentions_per_second": len(asked) / typed}
    peak = peak_mib(lm)
    report(extraction=extraction, classification=classification, peak_mib=peak)

    few, extracted = engine.extract(some)
    one_by_one = engine.extract(some, 1)[1]
    few_asked = mentions(some)
    found, few_typed = engine.classify(typer, few_asked)
    copies = [(job.prompt, job.tokens) for job in few]
    asks = questions(lm, template, few_asked, found, engine.taxonomy)
    published = generate(lm, copies, 1), generate(lm, asks, 1)
    report(a=published, d=(extracted, few_typed))
    batched = [by_length(lm, copies, asks, size) for size in sizes]
    report(b=batched)
    fastest = best_of(published, batched)
    lookup = prompt_lookup(lm, copies)
    report(c=lookup)
    extraction |= {
        "vs_generate_b1": published[0] / extracted,
        "b1_vs_generate_b1": published[0] / one_by_one,
        "vs_best_generate": fastest[0] / extracted,
        "vs_prompt_lookup": lookup / extracted if isinstance(lookup, float) else lookup,
    }
    classification |= {
        "vs_published": published[1] / few_typed,
        "vs_best_generate": fastest[1] / few_typed,
    }

    # Only a template that goes on from the copy has something to recall.
    together = extracted + few_typed
    if template.continues:
        together = engine.both(typer, some)
    weights = 0.0
    for parameter in lm.model.parameters():
        weights += parameter.numel() * parameter.element_size() / 2**20
    return {
        "extraction": extraction,
        "classification": classification,
        "cascade": ratios(published, fastest, together),
        "peak_mib": peak,
        "held_mib": held,
        # What it takes to run, beside weights, libraries and texts: keys, values and
        # activations of a batch.
        "peak_to_weights": (peak - held + weights) / weights,
        "weights_mib": weights,
        "seconds": (published, fastest),
    }


def continued(
    engine: Engine,
    template: Any,
    seconds: tuple[tuple[float, float], tuple[float, float]],
    gold: Sequence[Gold],
    some: Sequence[Gold],
) -> dict[str, Any]:
    """The second (d)."""
    published, fastest = seconds
    typer = Typer(template, "progressive", 1, 0.0, False)
    asked, few_asked = mentions(gold), mentions(some)
    all_typed = engine.classify(typer, asked)[1]
    found, typed = engine.classify(typer, few_asked)
    answers = whole_answers(engine.lm, template, few_asked, found)
    own = generate(engine.lm, answers, 1)
    together = engine.both(typer, some)
    report(d_continued=typed, a_continued=own, d_cascade=together)
    return {
        "classification_continued": {
            "mentions_per_second": len(asked) / all_typed,
            "vs_published": published[1] / typed,
            "vs_best_generate": fastest[1] / typed,
            "vs_own_generate": own / typed,
        },
        "cascade_continued": ratios(published, fastest, together),
    }


def prompt_lookup(lm: HFCausalLM, copies: Sequence[Pair]) -> float | str:
    """Seconds, or why it does not run."""
    try:
        return generate(lm, copies, 1, prompt_lookup_num_tokens=10)
    except (
        Exception
    ) as err:  # support differs between models and versions of transformers
        return f"{type(err).__name__}: {err}"[:200]


@torch.no_grad()
def floor(
    lm: HFCausalLM,
    jobs: Sequence[Job],
    *,
    width: int = 256,
) -> float:
    """One pass over all tokens, packed into rows without padding. RETURNS: seconds."""
    tokens: list[int] = []
    for job in jobs:
        tokens += [*job.prompt, *job.tokens]
    start = clock()
    whole = len(tokens) // width
    if whole:
        packed = torch.tensor(tokens[: whole * width], device=lm.device)
        # (rows, tokens)
        rows = packed.view(whole, width)
        for part in rows.split(max(1, lm.batch_tokens // width)):
            lm.decoder(input_ids=part, use_cache=False)
    rest = tokens[whole * width :]
    if rest:
        ids = torch.tensor([rest], device=lm.device)
        lm.decoder(input_ids=ids, use_cache=False)
    wait(lm)
    return clock() - start


def as_gold(jobs: Sequence[Job], gold: Sequence[Gold]) -> float:
    """Share of the sentences whose mentions begin where the gold ones do."""
    right = 0
    for job, (unit, spans) in zip(jobs, gold, strict=True):
        starts = {start: i for i, (start, _) in enumerate(unit.tokens)}
        found = [starts[mention.start] for mention in job.mentions]
        right += found == [start for start, _ in spans]
    return right / len(gold)
