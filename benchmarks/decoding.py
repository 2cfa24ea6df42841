"""The decoding engine against `generate` on the same weights, sentences and decisions.

    python benchmarks/decoding.py --shape tiny --sentences 200
    python benchmarks/decoding.py --shape qwen2.5-0.5b --sentences 16 --slow 4

(a) the published algorithm: one `generate` per sentence, then one per mention and level
(CascadeNER, arXiv 2409.11022); (b) the same with batched `generate`, the best of
--batch; (c) prompt-lookup decoding (extraction, one by one); (d) this project; (e) the
floor: one forward pass over prompt and marked sentence, tokens packed.

Weights are random, so all ways are told what to write: the mentions are the gold ones
    (a drafter guesses them, as it
would in use), and the types those that (d) arrives at. (a) to (c) get their tokens
through a logits processor, with KV cache and for exactly as many tokens as the answer
has; (d) runs the model and has its decisions replaced. The last line is one JSON
object. Ratios compare the times of the same sentences.

With a chat prompt there is a second (d), `classification_continued`:
`ChatClassifyContinued`, whose mentions and levels go on from one reading of the
sentence, in `cascade_continued` from that of the extractor. (a) and (b) still ask the
published questions; `vs_own_generate` compares with one `generate` per mention over its
own prompts.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from spacy_cascade.decoding.copy import Job, decode
from spacy_cascade.decoding.drafters import CuesDrafter, EntsDrafter, TaggerDrafter
from spacy_cascade.models.hf import HFCausalLM
from spacy_cascade.models.int8 import use_int8
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.tiny import train_tokenizer
from spacy_cascade.pipeline.typer import Typer
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.prompts.chat import (
    cascadener_classify,
    cascadener_extract,
    chat_classify,
    chat_extract,
)
from spacy_cascade.prompts.compact import compact_classify, compact_extract
from spacy_cascade.prompts.continued import chat_classify_continued
from spacy_cascade.taxonomy import Taxonomy, builtin
from spacy_cascade.types import MentionQuery, Query, Unit

MINI = Path(__file__).parents[1] / "assets" / "corpora" / "b2nerd_mini" / "NER_en"
# hidden, layers, heads, key-value heads, intermediate, vocabulary (None: that of the tokenizer)
SHAPES: dict[str, tuple[int, int, int, int, int, int | None]] = {
    "tiny": (128, 4, 4, 4, 384, None),
    "qwen2.5-0.5b": (896, 24, 14, 2, 4864, 151936),
    "qwen2.5-1.5b": (1536, 28, 12, 2, 8960, 151936),
}
TEMPLATES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "compact": (compact_extract, compact_classify),
    "chat": (chat_extract, chat_classify),
    "cascadener": (cascadener_extract, cascadener_classify),
}
# for chat prompts: the same task, asked once per sentence; begins like the extractor's prompt
CONTINUED: dict[str, Callable[[], Any]] = {
    "chat": chat_classify_continued,
    "cascadener": lambda: chat_classify_continued(instruction=""),
}
DRAFTERS = {"cues": CuesDrafter, "tagger": TaggerDrafter, "gold": EntsDrafter}
# <mask>: an end of text that nobody writes, so that all ways write answers of the same length
_NEVER = 6
# Jobs whose gold marks are known at a time: more than are ever decoded together.
_REMEMBERED = 4096
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Gold = tuple[Unit, list[tuple[int, int]]]


_clock = CLOCKS["wall"]


def clock() -> float:
    """Seconds."""
    return _clock()


def set_clock(name: str) -> None:
    """cpu: time that this process had.

    For one thread, on a machine that is busy with other things.
    """
    global _clock
    _clock = CLOCKS[name]


def read(nlp: Any, paths: Sequence[Path]) -> list[Gold]:
    """Sentences with their flat mentions as token indices, from JSON files in B2NERD's form."""
    out = []
    for path in paths:
        for record in json.loads(path.read_text("utf8")):
            doc = nlp.make_doc(record["sentence"].strip())
            if not len(doc):
                continue
            found = {
                doc.char_span(*e["pos"], alignment_mode="expand")
                for e in record["entities"]
            }
            spans = spacy.util.filter_spans([s for s in found if s is not None])
            out.append(
                (make_unit(doc, 0, len(doc)), sorted((s.start, s.end) for s in spans))
            )
    return out


def build(
    shape: str, segments: Sequence[str], device: str, dtype: torch.dtype
) -> HFCausalLM:
    tokenizer = train_tokenizer(segments, vocab_size=8000)
    hidden, layers, heads, kv, intermediate, vocabulary = SHAPES[shape]
    config = Qwen2Config(
        vocab_size=vocabulary or len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv,
        intermediate_size=intermediate,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    model = Qwen2ForCausalLM(config).to(device)
    torch.set_default_dtype(torch.float32)
    return HFCausalLM(model, tokenizer, name=shape, spec=HFSpec("", device=device))


class GoldLM:
    """Runs a model for all that it is asked about marked copies, and answers with the
    gold marks.
    """

    def __init__(self, lm: HFCausalLM):
        self.lm = lm
        self._jobs: dict[tuple[int, ...], tuple[Job, dict[Any, bool]]] = {}
        self.lengths: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lm, name)

    def expect(self, job: Job, spans: Sequence[tuple[int, int]]) -> None:
        marks = {("open", s): True for s, _ in spans} | {
            ("close", e): True for _, e in spans
        }
        self._jobs[tuple(job.prompt)] = job, marks
        self.lengths.add(len(job.prompt))
        if len(self._jobs) > _REMEMBERED:
            del self._jobs[next(iter(self._jobs))]

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        out = self.lm.candidate_logits(queries)
        for query, logits in zip(queries, out, strict=True):
            if not query.positions:  # what several prompts begin with
                continue
            prompt = next(n for n in self.lengths if tuple(query.ids[:n]) in self._jobs)
            job, marks = self._jobs[tuple(query.ids[:prompt])]
            state, rows = (
                job.automaton.start(),
                dict(zip(query.positions, range(len(logits)), strict=True)),
            )
            for p, token in enumerate(query.ids[prompt:], prompt - 1):
                if p in rows:
                    logits[rows[p]] = _preference(
                        job,
                        state,
                        query.candidates[rows[p]],
                        marks,
                        token,
                        logits.shape[1],
                    )
                state = job.automaton.step(state, token)
        return out


def _preference(
    job: Job,
    state: Any,
    candidates: Sequence[int],
    marks: dict[Any, bool],
    drafted: int,
    width: int,
) -> np.ndarray:
    """The most gold choices first; among equals the drafted token, then the one that
    copies most.
    """
    out = np.full(width, -np.inf, dtype=np.float32)
    for k, token in enumerate(candidates):
        wrong = sum(
            c.marked != marks.get((c.kind, c.token), False)
            for c in job.automaton.choices(state, token)
        )
        reach = job.automaton.offset(
            job.automaton.step(state, token)
        ) - job.automaton.offset(state)
        out[k] = -1000 * wrong + (500 if token == drafted else 0) + reach
    return out


class _Forced(LogitsProcessor):
    """Every row is made to write its answer."""

    def __init__(self, answers: Sequence[Sequence[int]], start: int):
        self.answers, self.start = answers, start

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        n = input_ids.shape[1] - self.start
        scores.fill_(-1e4)
        for row, answer in enumerate(self.answers):
            scores[row, answer[n] if n < len(answer) else 0] = 0
        return scores


@torch.no_grad()
def generate(
    lm: HFCausalLM,
    pairs: Sequence[tuple[list[int], list[int]]],
    size: int,
    **options: Any,
) -> float:
    """Write the answers behind the prompts in batches. RETURNS: seconds."""
    start = clock()
    for i in range(0, len(pairs), size):
        batch = pairs[i : i + size]
        longest, new = max(len(p) for p, _ in batch), max(len(a) for _, a in batch)
        ids = torch.tensor(
            [[0] * (longest - len(p)) + p for p, _ in batch], device=lm.device
        )
        mask = torch.tensor(
            [[0] * (longest - len(p)) + [1] * len(p) for p, _ in batch],
            device=lm.device,
        )
        forced = LogitsProcessorList([_Forced([a for _, a in batch], longest)])
        lm.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=new,
            min_new_tokens=new,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=_NEVER,
            logits_processor=forced,
            **options,
        )
    _wait(lm)
    return clock() - start


@torch.no_grad()
def floor(lm: HFCausalLM, jobs: Sequence[Job], *, width: int = 256) -> float:
    """One pass over all tokens, packed into rows without padding. RETURNS: seconds."""
    tokens = [t for job in jobs for t in (*job.prompt, *job.tokens)]
    start = clock()
    whole = len(tokens) // width
    if whole:
        rows = torch.tensor(tokens[: whole * width], device=lm.device).view(
            whole, width
        )
        for part in rows.split(max(1, lm.batch_tokens // width)):
            lm.decoder(input_ids=part, use_cache=False)
    if tokens[whole * width :]:
        lm.decoder(
            input_ids=torch.tensor([tokens[whole * width :]], device=lm.device),
            use_cache=False,
        )
    _wait(lm)
    return clock() - start


def copy_all(
    gold_lm: GoldLM,
    template: Any,
    drafter: Any,
    batch: Sequence[Gold],
    keep: bool = False,
) -> list[Job]:
    jobs = [
        template.job(
            gold_lm.lm,
            u,
            drafter.guess(u, s if isinstance(drafter, EntsDrafter) else ()),
        )
        for u, s in batch
    ]
    for job, (_, spans) in zip(jobs, batch, strict=True):
        gold_lm.expect(job, spans)
    decode(gold_lm, jobs, keep=keep)
    return jobs


def extract(
    gold_lm: GoldLM, template: Any, drafter: Any, gold: Sequence[Gold], size: int
) -> tuple[list[Job], float]:
    done: list[Job] = []
    start = clock()
    for i in range(0, len(gold), size):
        done += copy_all(gold_lm, template, drafter, gold[i : i + size])
    _wait(gold_lm.lm)
    return done, clock() - start


def both(
    gold_lm: GoldLM,
    template: Any,
    drafter: Any,
    typer: Typer,
    gold: Sequence[Gold],
    taxonomy: Taxonomy,
    size: int,
) -> float:
    """Both stages batch after batch, as components of a pipeline that share weights.

    RETURNS: seconds.
    """
    start = clock()
    for i in range(0, len(gold), size):
        batch = gold[i : i + size]
        gold_lm.prefixes.clear()
        for job in copy_all(gold_lm, template, drafter, batch, keep=True):
            if job.kept is not None and job.mentions:
                gold_lm.prefixes.keep(job.unit, job.kept)
            job.kept = None
        typer(gold_lm.lm, [(a, taxonomy) for a in mentions(batch)])
    _wait(gold_lm.lm)
    return clock() - start


def classify(
    lm: HFCausalLM,
    typer: Typer,
    asked: Sequence[MentionQuery],
    taxonomy: Taxonomy,
    size: int,
) -> tuple[list[Any], float]:
    """size (int): Mentions at a time."""
    found: list[Any] = []
    start = clock()
    for i in range(0, len(asked), size):
        found += typer(lm, [(a, taxonomy) for a in asked[i : i + size]])
    _wait(lm)
    return found, clock() - start


def mentions(gold: Sequence[Gold]) -> list[MentionQuery]:
    return [
        MentionQuery(u, s, e, tuple(spans[:k]))
        for u, spans in gold
        for k, (s, e) in enumerate(spans)
    ]


def questions(
    lm: HFCausalLM,
    template: Any,
    asked: Sequence[MentionQuery],
    found: Sequence[Any],
    taxonomy: Taxonomy,
) -> list[Any]:
    """One prompt and answer per mention and level, as (a) and (b) ask them."""
    out = []
    for a, result in zip(asked, found, strict=True):
        for level, name in enumerate(result.path):
            types = [p[-1] for p in taxonomy.children(result.path[:level])]
            prompt = template.prompt(lm, a, result.path[:level], types)[0]
            out.append((prompt, [*template.answer(lm, name), template.end_id(lm)]))
    return out


def whole_answers(
    lm: HFCausalLM, template: Any, asked: Sequence[MentionQuery], found: Sequence[Any]
) -> list[Any]:
    """One prompt and answer per mention: all levels one after the other, for a template
    that continues.
    """
    end = template.end_id(lm)
    return [
        (
            template.prompt(lm, a, (), [])[0],
            [t for name in r.path for t in (*template.answer(lm, name), end)],
        )
        for a, r in zip(asked, found, strict=True)
    ]


def _wait(lm: HFCausalLM) -> None:
    if lm.device.type == "cuda":
        torch.cuda.synchronize()


def peak_mib(lm: HFCausalLM) -> float:
    """Most memory since the last `reset_peak`: of tensors on a GPU, of the process on a CPU."""
    if lm.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(
        int(line.split()[1]) / 1024
        for line in status.read_text().splitlines()
        if line.startswith("VmHWM")
    )


def reset_peak(lm: HFCausalLM) -> float:
    """Forget what making random weights took (on Linux). RETURNS: what is held now, in MiB."""
    if lm.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    return peak_mib(lm)


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--shape", choices=SHAPES, default="tiny")
    ap.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    ap.add_argument(
        "--dtype", default="auto", help="auto: bfloat16 on a GPU, else float32"
    )
    ap.add_argument(
        "--batch",
        type=int,
        nargs="+",
        default=[8, 32],
        help="sentences at a time; the first is that of (d)",
    )
    ap.add_argument(
        "--prompt", choices=TEMPLATES, default=None, help="compact for tiny, else chat"
    )
    ap.add_argument("--drafter", choices=DRAFTERS, default="tagger")
    ap.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[
            MINI / s / "test.json" for s in ("mini_news", "mini_food", "mini_legal")
        ],
    )
    ap.add_argument(
        "--train",
        type=Path,
        nargs="+",
        default=[
            MINI / s / "train.json" for s in ("mini_news", "mini_food", "mini_legal")
        ],
        help="for tokenizer and tagger",
    )
    ap.add_argument("--sentences", type=int, default=54)
    ap.add_argument(
        "--slow", type=int, default=16, help="how many of them for (a), (b) and (c)"
    )
    ap.add_argument("--cache-tokens", type=int, default=16384, help="0: whole passes")
    ap.add_argument(
        "--int8",
        action="store_true",
        help="int8 products (on a CPU); for all ways alike",
    )
    ap.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="cpu: for one thread on a busy machine",
    )
    args = ap.parse_args()
    set_clock(args.clock)
    nlp = spacy.blank(
        "xx",
        config={
            "nlp": {
                "tokenizer": {"@tokenizers": "spacy-cascade.MultilingualTokenizer.v1"}
            }
        },
    )
    train, gold = read(nlp, args.train), read(nlp, args.data)
    gold = [
        gold[i]
        for i in np.linspace(0, len(gold) - 1, min(args.sentences, len(gold))).astype(
            int
        )
    ]
    some = [
        gold[i]
        for i in np.linspace(0, len(gold) - 1, min(args.slow, len(gold))).astype(int)
    ]
    taxonomy = builtin("dynamicner")
    segments = [s for u, _ in train + gold for s in u.segments()] + [
        f" {w}" for p in taxonomy for w in p[-1].split()
    ]
    dtype = {
        "auto": torch.bfloat16 if args.device.startswith("cuda") else torch.float32
    }.get(args.dtype) or getattr(torch, args.dtype)
    lm = build(args.shape, segments, args.device, dtype)
    lm.cache_tokens = args.cache_tokens
    if args.int8:
        use_int8(lm.decoder)
    gold_lm = GoldLM(lm)
    prompt = args.prompt or ("compact" if args.shape == "tiny" else "chat")
    extraction, classification = (make() for make in TEMPLATES[prompt])
    drafter = DRAFTERS[args.drafter]()
    drafter.fit(train)
    typer = Typer(classification, "progressive", 1, 0.0, False)
    continued = CONTINUED[prompt]() if prompt in CONTINUED else None
    size = args.batch[0]
    ours: dict[str, Any] = {"extraction": {}, "classification": {}}

    held = reset_peak(lm)
    extract(gold_lm, extraction, drafter, some[:2], size)
    jobs, seconds = extract(gold_lm, extraction, drafter, gold, size)
    starts = [{s: i for i, (s, _) in enumerate(u.tokens)} for u, _ in gold]
    right = sum(
        [at[m.start] for m in j.mentions] == [s for s, _ in spans]
        for j, at, (_, spans) in zip(jobs, starts, gold, strict=True)
    )
    ours["extraction"] |= {
        "sentences_per_second": len(gold) / seconds,
        "passes": float(np.mean([j.passes for j in jobs])),
    }
    ours["extraction"]["as_gold"] = right / len(gold)
    ours["extraction"]["of_floor"] = floor(lm, jobs) / seconds
    asked = mentions(gold)
    typed = classify(lm, typer, asked, taxonomy, 4 * size)[1]
    ours["classification"] |= {"mentions_per_second": len(asked) / typed}
    peak = peak_mib(lm)
    report(d_all=ours, held_mib=held, peak_mib=peak)

    few, extracted = extract(gold_lm, extraction, drafter, some, size)
    _, one_by_one = extract(gold_lm, extraction, drafter, some, 1)
    few_asked = mentions(some)
    few_found, few_typed = classify(lm, typer, few_asked, taxonomy, 4 * size)
    copies = [(j.prompt, j.tokens) for j in few]
    asks = questions(lm, classification, few_asked, few_found, taxonomy)
    single, single_types = generate(lm, copies, 1), generate(lm, asks, 1)
    report(
        a={"extraction": single, "classification": single_types},
        d={"extraction": extracted, "classification": few_typed},
    )
    by_length = (
        sorted(copies, key=lambda pair: len(pair[1])),
        sorted(asks, key=lambda pair: len(pair[0])),
    )
    batched = {
        b: (generate(lm, by_length[0], b), generate(lm, by_length[1], b))
        for b in args.batch
    }
    report(b=batched)
    best, best_types = (min(t[k] for t in batched.values()) for k in (0, 1))
    try:
        lookup: float | str = generate(lm, copies, 1, prompt_lookup_num_tokens=10)
    except (
        Exception
    ) as err:  # support differs between models and versions of transformers
        lookup = f"{type(err).__name__}: {err}"[:200]
    report(c=lookup)
    ours["extraction"] |= {
        "vs_generate_b1": single / extracted,
        "b1_vs_generate_b1": single / one_by_one,
        "vs_best_generate": min(best, single) / extracted,
        "vs_prompt_lookup": lookup / extracted if isinstance(lookup, float) else lookup,
    }
    ours["classification"] |= {
        "vs_published": single_types / few_typed,
        "vs_best_generate": min(best_types, single_types) / few_typed,
    }
    slow, fast = (
        (single, single_types),
        (min(best, single), min(best_types, single_types)),
    )
    # only a template that goes on from the copy has something to recall
    typed_after = (
        both(gold_lm, extraction, drafter, typer, some, taxonomy, size)
        if classification.continues
        else extracted + few_typed
    )
    ours["cascade"] = _cascade(slow, fast, typed_after)
    if continued is not None:
        again = Typer(continued, "progressive", 1, 0.0, False)
        all_typed = classify(lm, again, asked, taxonomy, 4 * size)[1]
        found, typed_again = classify(lm, again, few_asked, taxonomy, 4 * size)
        own = generate(lm, whole_answers(lm, continued, few_asked, found), 1)
        together = both(gold_lm, extraction, drafter, again, some, taxonomy, size)
        report(d_continued=typed_again, a_continued=own, d_cascade=together)
        ours["classification_continued"] = {
            "mentions_per_second": len(asked) / all_typed,
            "vs_published": slow[1] / typed_again,
            "vs_best_generate": fast[1] / typed_again,
            "vs_own_generate": own / typed_again,
        }
        ours["cascade_continued"] = _cascade(slow, fast, together)
    weights = sum(p.numel() * p.element_size() for p in lm.model.parameters()) / 2**20
    # what it takes to run, beside weights, libraries and texts: keys, values and
    # activations of a batch
    ours |= {
        "peak_mib": peak,
        "held_mib": held,
        "peak_to_weights": (peak - held + weights) / weights,
        "weights_mib": weights,
        "shape": args.shape,
        "device": str(lm.device),
        "dtype": str(dtype),
    }
    ours |= {
        "batch": size,
        "sentences": len(gold),
        "slow_sentences": len(some),
        "mentions": len(asked),
    }
    ours |= {
        "threads": torch.get_num_threads(),
        "drafter": args.drafter,
        "cache_tokens": args.cache_tokens,
        "clock": args.clock,
        "int8": args.int8,
    }
    print(json.dumps(_rounded(ours)))


def _cascade(
    published: tuple[float, float], best: tuple[float, float], ours: float
) -> dict[str, float]:
    return {"vs_published": sum(published) / ours, "vs_best_generate": sum(best) / ours}


def report(**parts: Any) -> None:
    print(json.dumps(_rounded(parts)), flush=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
