"""How time and memory grow with the length of a document, the number of labels, of
mentions, and the batch size.

    python benchmarks/scaling.py --shape tiny
    python benchmarks/scaling.py --shape qwen2.5-0.5b --device cuda --parts document batch

Both stages run through `nlp.pipe` on random weights, as in decoding.py: the model does
all of the work and has its marks replaced, by one mention for every run of capitalized
words. Every figure is the best of --repeat runs. The parts:

document  one Doc of 100 to 100,000 tokens, sentences from the embedded corpora; peak
memory of the process after each labels    8 to 1,000 types as a hierarchy of three
levels, and as one flat list; time of the classifier per mention mentions  sentences of
60 words with 0 to 30 mentions batch     `batch_size` 1 to 64

The last line is one JSON object; --plot DIR draws it.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from decoding import (
    CLOCKS,
    MINI,
    SHAPES,
    TEMPLATES,
    GoldLM,
    build,
    clock,
    peak_mib,
    read,
    report,
    reset_peak,
    set_clock,
)
from spacy.language import Language
from spacy.tokens import Doc

from spacy_cascade.decoding.copy import Job
from spacy_cascade.errors import CascadeError
from spacy_cascade.prompts.continued import chat_classify_continued
from spacy_cascade.registry import causal_lms, prompts
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import Unit

PARTS = ("document", "labels", "mentions", "batch")
_SETS = ("mini_news", "mini_food", "mini_legal")
_WORDS = 60


def capitalized(unit: Unit) -> list[tuple[int, int]]:
    """Runs of capitalized words: what the model is made to mark."""
    marked = [unit.text[start].isupper() for start, _ in unit.tokens]
    runs = [
        (yes, [i for i, _ in group])
        for yes, group in itertools.groupby(enumerate(marked), lambda pair: pair[1])
    ]
    return [(run[0], run[-1] + 1) for yes, run in runs if yes]


@dataclass(frozen=True)
class GoldTemplate:
    """An extractor's template that tells the model what to mark."""

    template: Any
    gold: GoldLM

    def __getattr__(self, name: str) -> Any:
        return getattr(self.template, name)

    def job(self, lm: Any, unit: Unit, guess: Any) -> Job:
        job = self.template.job(lm, unit, guess)
        self.gold.expect(job, capitalized(unit))
        return job


@dataclass(frozen=True)
class Loaded:
    """The description of a model that is in memory already."""

    lm: Any
    name: str = "random"

    def load(self, path: Any = None, *, private: bool = False) -> Any:
        return self.lm


def pipeline(lm: Any, prompt: str) -> Language:
    """Sentences, mentions, types."""
    gold = GoldLM(lm)
    extraction, classification = (make() for make in TEMPLATES[prompt])
    if prompt == "chat":
        classification = chat_classify_continued()
    causal_lms("benchmarks.Gold.v1", func=lambda: Loaded(gold))
    causal_lms("benchmarks.Plain.v1", func=lambda: Loaded(lm))
    prompts("benchmarks.Extract.v1", func=lambda: GoldTemplate(extraction, gold))
    prompts("benchmarks.Classify.v1", func=lambda: classification)
    nlp = blank()
    nlp.add_pipe("sentencizer")
    for stage, model, template in (
        ("extractor", "Gold", "Extract"),
        ("classifier", "Plain", "Classify"),
    ):
        config = {
            "model": {"@causal_lms": f"benchmarks.{model}.v1"},
            "template": {"@prompts": f"benchmarks.{template}.v1"},
        }
        nlp.add_pipe(f"cascade_{stage}", config=config)
    return nlp


def blank() -> Language:
    return spacy.blank(
        "xx",
        config={
            "nlp": {
                "tokenizer": {"@tokenizers": "spacy-cascade.MultilingualTokenizer.v1"}
            }
        },
    )


def best(run: Callable[[], Any], repeat: int) -> float:
    """Seconds of the fastest of these runs."""
    times = []
    for _ in range(repeat):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)


def text_of(sentences: Sequence[str], tokens: int, nlp: Language) -> str:
    """Sentences, over and over, until there are this many tokens."""
    out, n = [], 0
    for sentence in itertools.cycle(sentences):
        if n >= tokens:
            return " ".join(out)
        out.append(sentence)
        n += len(nlp.make_doc(sentence))
    raise ValueError("no sentences")


def document(
    nlp: Language, sentences: Sequence[str], lengths: Sequence[int], repeat: int
) -> dict[str, Any]:
    """Time per token and peak memory."""
    out: dict[str, Any] = {}
    for n in sorted(lengths):
        doc = nlp.make_doc(text_of(sentences, n, nlp))
        reset_peak(lm_of(nlp))
        # short documents as often as it takes for a figure
        times = max(1, 1000 // len(doc))
        seconds = best(
            lambda doc=doc, times=times: consume(
                nlp, [doc.copy() for _ in range(times)], 1
            ),
            repeat,
        )  # type: ignore[misc]
        out[str(n)] = {
            "us_per_token": 1e6 * seconds / times / len(doc),
            "peak_mib": peak_mib(lm_of(nlp)),
            "tokens": len(doc),
        }
        report(document={n: out[str(n)]})
    rows = list(out.values())
    costs = [row["us_per_token"] for row in rows]
    # A short text does not fill a batch, so that costs fall at first; what counts is
    # whether they rise.
    growth = max((b / min(costs[:k]) for k, b in enumerate(costs) if k), default=1.0)
    bytes_each = (
        2**20
        * (rows[-1]["peak_mib"] - rows[0]["peak_mib"])
        / max(1, rows[-1]["tokens"] - rows[0]["tokens"])
    )
    return {"by_length": out, "growth": growth, "peak_bytes_per_token": bytes_each}


def lm_of(nlp: Language) -> Any:
    pipe: Any = nlp.get_pipe("cascade_classifier")
    return pipe.lm


def consume(nlp: Language, docs: Iterable[Doc], size: int) -> int:
    """Run all. RETURNS: number of entities."""
    return sum(len(doc.ents) for doc in nlp.pipe(docs, batch_size=size))


def tree(names: Sequence[str], levels: int) -> Any:
    """Names as the leaves of a tree in which every node has about as many children as
    every other.
    """
    if levels == 1:
        return list(names)
    width = max(2, round(len(names) ** (1 / levels)))
    parts = [
        list(part)
        for part in np.array_split(np.array(names, dtype=object), width)
        if len(part)
    ]
    return {f"kind of {part[0]}": tree(part, levels - 1) for part in parts}


def labels(
    nlp: Language, doc: Doc, words: Sequence[str], sizes: Sequence[int], repeat: int
) -> dict[str, Any]:
    """Milliseconds of the classifier per mention; a flat list that is too long for the
    window is named so.
    """
    pipe: Any = nlp.get_pipe("cascade_classifier")
    names = [f"{a} {b}" for a, b in itertools.product(words, words) if a != b]
    order = np.random.default_rng(0).permutation(len(names))
    by_size: dict[str, dict[str, Any]] = {"hierarchy": {}, "flat": {}}
    n = len(doc.spans["cascade"])
    for size, form in itertools.product(sizes, by_size):
        chosen = [names[i] for i in order[:size]]
        pipe.set_taxonomy(Taxonomy(tree(chosen, 3 if form == "hierarchy" else 1)))
        try:
            by_size[form][str(size)] = (
                1000 * best(lambda: pipe.predict([doc]), repeat) / n
            )
        except CascadeError as err:
            by_size[form][str(size)] = str(err)
        report(labels={form: {size: by_size[form][str(size)]}})
    times = list(by_size["hierarchy"].values())
    return {**by_size, "hierarchy_growth": times[-1] / times[0]}


def mentions(
    nlp: Language,
    words: Sequence[str],
    counts: Sequence[int],
    sentences: int,
    repeat: int,
) -> dict[str, float]:
    """Milliseconds per sentence of 60 words that has so many mentions of one word."""
    out = {}
    rng = np.random.default_rng(0)
    for count in counts:
        texts = []
        for _ in range(sentences):
            chosen = [str(w).lower() for w in rng.choice(list(words), _WORDS)]
            for at in np.linspace(1, _WORDS - 1, count).astype(int):
                chosen[at] = chosen[at].capitalize()
            texts.append(" ".join(chosen))
        docs = [nlp.make_doc(t) for t in texts]
        out[str(count)] = (
            1000
            * best(lambda docs=docs: consume(nlp, [d.copy() for d in docs], 32), repeat)
            / sentences
        )  # type: ignore[misc]
        report(mentions={count: out[str(count)]})
    return out


def batches(
    nlp: Language, sentences: Sequence[str], sizes: Sequence[int], repeat: int
) -> dict[str, float]:
    """Sentences per second by `batch_size`."""
    docs = [nlp.make_doc(s) for s in sentences]
    out = {
        str(b): len(docs)
        / best(lambda b=b: consume(nlp, [d.copy() for d in docs], b), repeat)
        for b in sizes
    }  # type: ignore[misc]
    report(batch=out)
    return out


def plot(found: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4))
    (a, b), (c, d) = axes
    if "document" in found:
        rows = found["document"]["by_length"]
        tokens = [v["tokens"] for v in rows.values()]
        a.plot(
            tokens,
            [v["us_per_token"] for v in rows.values()],
            "o-",
            label="microseconds per token",
        )
        a.plot(
            tokens,
            [v["peak_mib"] for v in rows.values()],
            "s--",
            color="0.5",
            label="peak memory, MiB",
        )
        a.set(xscale="log", xlabel="tokens of the document", ylim=(0, None))
        a.legend()
    if "labels" in found:
        for form, marker in (("hierarchy", "o-"), ("flat", "s--")):
            pairs = [
                (int(n), t)
                for n, t in found["labels"][form].items()
                if isinstance(t, float)
            ]
            b.plot(
                *zip(*pairs, strict=True),
                marker,
                label="one list" if form == "flat" else "three levels",
            )
        b.set(
            xscale="log",
            xlabel="labels",
            ylabel="classifier, ms per mention",
            ylim=(0, None),
        )
        b.legend()
    for axis, part, x, y in (
        (c, "mentions", "mentions per sentence of 60 words", "ms per sentence"),
        (d, "batch", "batch_size", "sentences per second"),
    ):
        if part in found:
            axis.plot([int(k) for k in found[part]], list(found[part].values()), "o-")
            axis.set(xlabel=x, ylabel=y, ylim=(0, None))
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"{found['shape']}, {found['device']}, {found['threads']} thread(s)"
    )
    figure.tight_layout()
    path.mkdir(parents=True, exist_ok=True)
    figure.savefig(path / "scaling.png", dpi=100)


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--shape", choices=SHAPES, default="tiny")
    ap.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    ap.add_argument(
        "--prompt",
        choices=("compact", "chat"),
        default=None,
        help="compact for tiny, else chat",
    )
    ap.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    ap.add_argument("--batch", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    ap.add_argument(
        "--lengths", type=int, nargs="+", default=[100, 1000, 10000, 100000]
    )
    ap.add_argument("--labels", type=int, nargs="+", default=[8, 31, 155, 400, 1000])
    ap.add_argument("--mentions", type=int, nargs="+", default=[0, 1, 3, 10, 20, 30])
    ap.add_argument(
        "--sentences", type=int, default=64, help="for mentions, labels and batch"
    )
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--plot", type=Path, default=None, help="directory for scaling.png")
    ap.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="cpu: for one thread on a busy machine",
    )
    args = ap.parse_args()
    set_clock(args.clock)
    gold = read(
        blank(),
        [MINI / s / f"{split}.json" for s in _SETS for split in ("train", "test")],
    )
    sentences = [u.text for u, _ in gold]
    words = sorted(
        {
            u.text[s:e]
            for u, _ in gold
            for s, e in u.tokens
            if u.text[s:e].isalpha() and u.text[s:e].islower() and e - s > 3
        }
    )
    dtype = torch.bfloat16 if args.device.startswith("cuda") else torch.float32
    lm = build(
        args.shape,
        [s for u, _ in gold for s in u.segments()] + [f" {w}" for w in words],
        args.device,
        dtype,
    )
    nlp = pipeline(lm, args.prompt or ("compact" if args.shape == "tiny" else "chat"))
    consume(nlp, [nlp.make_doc(s) for s in sentences[:16]], 16)
    some = [
        sentences[i]
        for i in np.linspace(
            0, len(sentences) - 1, min(args.sentences, len(sentences))
        ).astype(int)
    ]
    found: dict[str, Any] = {
        "shape": args.shape,
        "device": str(lm.device),
        "dtype": str(dtype),
        "threads": torch.get_num_threads(),
        "clock": args.clock,
    }
    if "document" in args.parts:  # first, since it measures memory
        found["document"] = document(nlp, sentences, args.lengths, args.repeat)
    if "labels" in args.parts:
        doc = nlp(" ".join(some[: max(1, args.sentences // 4)]))
        standard = nlp.get_pipe("cascade_classifier").taxonomy  # type: ignore[attr-defined]
        found["labels"] = labels(
            nlp, doc, words[:: max(1, len(words) // 60)], args.labels, args.repeat
        )
        nlp.get_pipe("cascade_classifier").set_taxonomy(standard)  # type: ignore[attr-defined]
    if "mentions" in args.parts:
        found["mentions"] = mentions(
            nlp, words, args.mentions, max(1, args.sentences // 4), args.repeat
        )
    if "batch" in args.parts:
        found["batch"] = batches(nlp, some, args.batch, args.repeat)
    if args.plot is not None:
        plot(found, args.plot)
    report(**found)


if __name__ == "__main__":
    main()
