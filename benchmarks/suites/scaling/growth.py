"""How time and memory grow with the length of a document, the number of labels, of
mentions, and the batch size.

    python benchmarks/run.py scaling.growth --shape tiny
    python benchmarks/run.py scaling.growth --shape qwen2.5-0.5b --parts document batch

Both stages run through `nlp.pipe` on random weights, as in decoding.engine: the model
does all of the work and has its marks replaced, by one mention for every run of
capitalized words. Every figure is the best of --repeat runs. The parts:

document  one Doc of 100 to 100,000 tokens, sentences from the embedded corpora; peak
          memory of the process after each
labels    8 to 1,000 types as a hierarchy of three levels, and as one flat list; time of
          the classifier per mention
mentions  sentences of 60 words with 0 to 30 mentions
batch     `batch_size` 1 to 64
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from spacy.language import Language
from spacy.tokens import Doc

from benchmarks import options
from benchmarks.common import (
    best,
    blank,
    evenly,
    pyplot,
    report,
    rounded,
    save_figure,
    set_clock,
)
from benchmarks.device import peak_mib, reset_peak
from benchmarks.random_models import (
    DEVICE,
    MINI_ALL,
    Gold,
    Shape,
    build,
    read_gold,
    segments_of,
    usual_dtype,
)
from benchmarks.suites.scaling._pipeline import pipeline
from spacy_cascade.errors import CascadeError
from spacy_cascade.taxonomy import Taxonomy

Part = Literal["document", "labels", "mentions", "batch"]
_WORDS = 60


def run(
    shape: Shape = "tiny",
    device: str = DEVICE,
    prompt: Annotated[
        Literal["compact", "chat"] | None, "compact for tiny, else chat"
    ] = None,
    parts: Sequence[Part] = ("document", "labels", "mentions", "batch"),
    batch: options.Batch = (1, 2, 4, 8, 16, 32, 64),
    lengths: Annotated[Sequence[int], "tokens of a document"] = (
        100,
        1000,
        10000,
        100000,
    ),
    labels: Annotated[Sequence[int], "numbers of types"] = (8, 31, 155, 400, 1000),
    mentions: Annotated[Sequence[int], "mentions of a sentence"] = (
        0,
        1,
        3,
        10,
        20,
        30,
    ),
    sentences: Annotated[int, "for mentions, labels and batch"] = 64,
    repeat: int = 3,
    plot: Annotated[Path | None, "directory for scaling.png"] = None,
    clock: options.Clock = "wall",
) -> dict[str, Any]:
    """Measure the parts that are asked for.

    RETURNS (dict): Under the name of each part its figures by size. Times of a document are
        microseconds per token, all others milliseconds.
    """
    set_clock(clock)
    gold = read_gold(blank(), MINI_ALL)
    words = lower_words(gold)
    segments = segments_of(gold) + [f" {word}" for word in words]
    lm = build(shape, segments, device, usual_dtype(device))
    texts = [unit.text for unit, _ in gold]
    nlp = pipeline(lm, prompt)
    growth = Growth(nlp, texts, words, repeat)

    warm = [nlp.make_doc(text) for text in texts[:16]]
    growth.consume(warm, 16)
    some = evenly(texts, sentences)
    few = max(1, sentences // 4)
    found: dict[str, Any] = {
        "shape": shape,
        "device": str(lm.device),
        "dtype": str(usual_dtype(device)),
        "threads": torch.get_num_threads(),
        "clock": clock,
    }
    if "document" in parts:  # first, since it measures memory
        found["document"] = growth.document(lengths)
    if "labels" in parts:
        found["labels"] = growth.labels(some[:few], labels)
    if "mentions" in parts:
        found["mentions"] = growth.mentions(mentions, few)
    if "batch" in parts:
        found["batch"] = growth.batches(some, batch)
    if plot is not None:
        draw(found, plot)
    return dict(rounded(found))


def lower_words(gold: Sequence[Gold]) -> list[str]:
    """Words of the texts that could be part of a type's name."""
    found = set()
    for unit, _ in gold:
        for start, end in unit.tokens:
            word = unit.text[start:end]
            if word.isalpha() and word.islower() and end - start > 3:
                found.add(word)
    return sorted(found)


def text_of(
    sentences: Sequence[str],
    tokens: int,
    nlp: Language,
) -> str:
    """Sentences, over and over, until there are this many tokens."""
    out, n = [], 0
    for sentence in itertools.cycle(sentences):
        if n >= tokens:
            return " ".join(out)
        out.append(sentence)
        n += len(nlp.make_doc(sentence))
    raise ValueError("no sentences")


def tree(names: Sequence[str], levels: int) -> Any:
    """Names as the leaves of a tree in which every node has about as many children as
    every other.
    """
    if levels == 1:
        return list(names)
    even = len(names) ** (1 / levels)
    width = max(2, round(even))
    out = {}
    for part in np.array_split(np.array(names, dtype=object), width):
        if len(part):
            out[f"kind of {part[0]}"] = tree(list(part), levels - 1)
    return out


@dataclass
class Growth:
    """texts, words (list[str]): What documents are made from."""

    nlp: Language
    texts: Sequence[str]
    words: Sequence[str]
    repeat: int
    classifier: Any = field(init=False)

    def __post_init__(self) -> None:
        self.classifier = self.nlp.get_pipe("cascade_classifier")

    def consume(
        self,
        docs: Iterable[Doc],
        size: int,
    ) -> int:
        """Run all. RETURNS: number of entities."""
        found = self.nlp.pipe(docs, batch_size=size)
        return sum(len(doc.ents) for doc in found)

    def seconds(
        self,
        docs: Sequence[Doc],
        size: int,
    ) -> float:
        """Of the fastest run over copies of these Docs.

        size (int): Docs at a time.
        """

        def run() -> None:
            copies = [doc.copy() for doc in docs]
            self.consume(copies, size)

        return best(run, self.repeat)

    def document(self, lengths: Sequence[int]) -> dict[str, Any]:
        """Time per token and peak memory."""
        out: dict[str, Any] = {}
        for n in sorted(lengths):
            text = text_of(self.texts, n, self.nlp)
            doc = self.nlp.make_doc(text)
            reset_peak(self.classifier.lm)
            # Short documents as often as it takes for a figure.
            times = max(1, 1000 // len(doc))
            seconds = self.seconds([doc] * times, 1)
            out[str(n)] = {
                "us_per_token": 1e6 * seconds / times / len(doc),
                "peak_mib": peak_mib(self.classifier.lm),
                "tokens": len(doc),
            }
            report(document={n: out[str(n)]})

        rows = list(out.values())
        costs = [row["us_per_token"] for row in rows]
        # A short text does not fill a batch, so that costs fall at first; what counts is
        # whether they rise.
        rises = [1.0]
        for k in range(1, len(costs)):
            lowest = min(costs[:k])
            rises.append(costs[k] / lowest)
        first, last = rows[0], rows[-1]
        memory = last["peak_mib"] - first["peak_mib"]
        tokens = last["tokens"] - first["tokens"]
        return {
            "by_length": out,
            "growth": max(rises[1:] or rises),
            "peak_bytes_per_token": 2**20 * memory / max(1, tokens),
        }

    def labels(
        self,
        texts: Sequence[str],
        sizes: Sequence[int],
    ) -> dict[str, Any]:
        """Milliseconds of the classifier per mention; a flat list that is too long for
        the window is named so.
        """
        doc = self.nlp(" ".join(texts))
        standard = self.classifier.taxonomy
        step = max(1, len(self.words) // 60)
        pairs = itertools.permutations(self.words[::step], 2)
        names = [f"{a} {b}" for a, b in pairs]
        order = np.random.default_rng(0).permutation(len(names))
        by_size: dict[str, Any] = {"hierarchy": {}, "flat": {}}
        for size, form in itertools.product(sizes, by_size):
            chosen = [names[i] for i in order[:size]]
            levels = 3 if form == "hierarchy" else 1
            taxonomy = Taxonomy(tree(chosen, levels))
            self.classifier.set_taxonomy(taxonomy)
            figure = self._per_mention(doc)
            by_size[form][str(size)] = figure
            report(labels={form: {size: figure}})
        self.classifier.set_taxonomy(standard)
        times = list(by_size["hierarchy"].values())
        return {**by_size, "hierarchy_growth": times[-1] / times[0]}

    def _per_mention(self, doc: Doc) -> float | str:
        """Milliseconds, or why it can't be done."""
        try:
            seconds = best(lambda: self.classifier.predict([doc]), self.repeat)
        except CascadeError as err:
            return str(err)
        return 1000 * seconds / len(doc.spans["cascade"])

    def mentions(
        self,
        counts: Sequence[int],
        sentences: int,
    ) -> dict[str, float]:
        """Milliseconds per sentence of 60 words that has so many mentions of one word."""
        out = {}
        rng = np.random.default_rng(0)
        for count in counts:
            docs = []
            for _ in range(sentences):
                drawn = rng.choice(list(self.words), _WORDS)
                chosen = [str(word).lower() for word in drawn]
                for at in np.linspace(1, _WORDS - 1, count).astype(int):
                    chosen[at] = chosen[at].capitalize()
                docs.append(self.nlp.make_doc(" ".join(chosen)))
            seconds = self.seconds(docs, 32)
            out[str(count)] = 1000 * seconds / sentences
            report(mentions={count: out[str(count)]})
        return out

    def batches(
        self,
        texts: Sequence[str],
        sizes: Sequence[int],
    ) -> dict[str, float]:
        """Sentences per second by `batch_size`."""
        docs = [self.nlp.make_doc(text) for text in texts]
        out = {}
        for size in sizes:
            seconds = self.seconds(docs, size)
            out[str(size)] = len(docs) / seconds
        report(batch=out)
        return out


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write a figure with a quarter for each part.

    folder (Path): Where `scaling.png` goes.
    """
    figure, axes = pyplot().subplots(2, 2, figsize=(9, 6.4))
    (a, b), (c, d) = axes
    if "document" in found:
        _draw_document(a, found["document"]["by_length"])
    if "labels" in found:
        _draw_labels(b, found["labels"])
    if "mentions" in found:
        _draw_line(c, found["mentions"])
        c.set(xlabel="mentions per sentence of 60 words", ylabel="ms per sentence")
    if "batch" in found:
        _draw_line(d, found["batch"])
        d.set(xlabel="batch_size", ylabel="sentences per second")
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    threads = f"{found['threads']} thread(s)"
    figure.suptitle(f"{found['shape']}, {found['device']}, {threads}")
    figure.tight_layout()
    save_figure(figure, folder / "scaling.png", dpi=100)


def _draw_document(axis: Any, rows: dict[str, Any]) -> None:
    tokens = [row["tokens"] for row in rows.values()]
    times = [row["us_per_token"] for row in rows.values()]
    memory = [row["peak_mib"] for row in rows.values()]
    axis.plot(tokens, times, "o-", label="microseconds per token")
    axis.plot(
        tokens,
        memory,
        "s--",
        color="0.5",
        label="peak memory, MiB",
    )
    axis.set(xscale="log", xlabel="tokens of the document", ylim=(0, None))
    axis.legend()


def _draw_labels(axis: Any, found: dict[str, Any]) -> None:
    forms = (("hierarchy", "o-", "three levels"), ("flat", "s--", "one list"))
    for form, marker, name in forms:
        sizes, times = [], []
        for size, time in found[form].items():
            if isinstance(time, float):
                sizes.append(int(size))
                times.append(time)
        axis.plot(sizes, times, marker, label=name)
    axis.set(xscale="log", xlabel="labels", ylabel="classifier, ms per mention")
    axis.set(ylim=(0, None))
    axis.legend()


def _draw_line(axis: Any, found: dict[str, float]) -> None:
    """Figures by number."""
    numbers = [int(key) for key in found]
    axis.plot(numbers, list(found.values()), "o-")
    axis.set(ylim=(0, None))
