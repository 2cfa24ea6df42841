"""For orientation: this project, GLiNER and spaCy's `ner` on the same texts, one after
the other in the same run.

    python -m pip install --no-deps -c constraints.txt gliner sentencepiece
    python benchmarks/run.py scaling.peers --shape tiny --batch 8 32

All weights are random, so this is about speed alone. GLiNER (arXiv 2311.08526; span
model, DeBERTa-v3 encoder) is built from a config: as many layers of the same width as
the language model here, and its tokenizer. Its threshold is so high that no span is
kept, as random scores would keep half of them all: decoding them is not in its time.
This project runs both stages, with marks as in scaling.growth; 8, 31 and 155 types are
the levels of its taxonomy, below one another. `ner` has its default width of 96.
Everything from text to entities counts: texts per second of the best --batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from spacy.language import Language

from benchmarks import options
from benchmarks.common import best, blank, evenly, report, rounded, set_clock
from benchmarks.random_models import (
    DEVICE,
    MINI_ALL,
    SHAPES,
    Shape,
    build,
    read_gold,
    segments_of,
    usual_dtype,
    words_of,
)
from benchmarks.suites.scaling._pipeline import pipeline
from spacy_cascade.taxonomy import Taxonomy, builtin

_TOO_HIGH = 0.9999
ENCODER = {
    "model_type": "deberta-v2",
    "max_position_embeddings": 512,
    "type_vocab_size": 0,
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 256,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "pad_token_id": 0,
}
GLINER = {
    "model_type": "gliner_uni_encoder_span",
    "max_width": 12,
    "max_len": 1024,
    "max_types": 1000,
}


def run(
    shape: Shape = "tiny",
    device: str = DEVICE,
    batch: options.Batch = (8, 32),
    sentences: int = 54,
    repeat: int = 3,
    clock: options.Clock = "wall",
) -> dict[str, Any]:
    """Measure all systems on each level of the taxonomy.

    RETURNS (dict): For each system texts per second by number of types.
    """
    set_clock(clock)
    gold = read_gold(blank(), MINI_ALL)
    texts = [unit.text for unit, _ in evenly(gold, sentences)]
    names = words_of(builtin("dynamicner"))
    dtype = usual_dtype(device)
    lm = build(shape, segments_of(gold) + names, device, dtype)
    ours = pipeline(lm)
    parameters = {"ours": sum(p.numel() for p in lm.model.parameters())}
    found: dict[str, Any] = {
        "ours": {},
        "gliner": {},
        "spacy_ner": {},
    }
    other: Any = None
    try:
        other = gliner(shape, lm.tokenizer, device)
        other.to(dtype)
        parameters["gliner"] = sum(p.numel() for p in other.parameters())
    except ImportError as err:
        found["gliner"] = f"not measured: {err}"

    def speed(run_all: Callable[[int], Any]) -> float:
        """Texts per second at the best batch size."""
        seconds = [best(partial(run_all, size), repeat) for size in batch]
        return len(texts) / min(seconds)

    for n, taxonomy in taxonomies().items():
        labels = [" ".join(path[-1].split()) for path in taxonomy.leaves]
        classifier: Any = ours.get_pipe("cascade_classifier")
        classifier.set_taxonomy(taxonomy)
        list(ours.pipe(texts[:8]))
        found["ours"][n] = speed(by_pipe(ours, texts))
        found["spacy_ner"][n] = speed(by_pipe(ner(labels), texts))
        if other is not None:
            found["gliner"][n] = speed(by_gliner(other, texts, labels, batch[0]))
        measured = {who: v[n] for who, v in found.items() if isinstance(v, dict)}
        report(**{str(n): measured})
    about = {
        "parameters": parameters,
        "sentences": len(texts),
        "batch": batch,
        "shape": shape,
        "device": device,
        "dtype": str(dtype),
        "threads": torch.get_num_threads(),
        "clock": clock,
    }
    return dict(rounded({**found, **about}))


def taxonomies() -> dict[int, Taxonomy]:
    """The first, the first two, and all levels of the built-in taxonomy, by number of
    types on the last one.
    """
    whole = builtin("dynamicner")
    out = {}
    for depth in range(1, whole.depth + 1):
        paths = list(dict.fromkeys(leaf[:depth] for leaf in whole.leaves))
        labels = [" > ".join(path) for path in paths]
        out[len(paths)] = Taxonomy.from_labels(labels)
    return out


def by_pipe(nlp: Language, texts: Sequence[str]) -> Callable[[int], Any]:
    return lambda size: list(nlp.pipe(texts, batch_size=size))


def by_gliner(
    model: Any, texts: Sequence[str], labels: list[str], size: int
) -> Callable[[int], Any]:
    """RAISES RuntimeError: if a span is kept."""

    def found(size: int) -> Any:
        return model.inference(
            texts,
            labels,
            threshold=_TOO_HIGH,
            batch_size=size,
        )

    kept = sum(map(len, found(size)))
    if kept:
        raise RuntimeError(
            f"GLiNER kept {kept} spans above {_TOO_HIGH}: its decoding would be in the time"
        )
    return found


def gliner(shape: str, tokenizer: Any, device: str) -> Any:
    """A GLiNER of this shape with random weights. RAISES ImportError: if it is not installed."""
    from gliner import GLiNER

    hidden, layers, heads, _, intermediate, _ = SHAPES[shape]
    encoder = {
        **ENCODER,
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
    }
    with tempfile.TemporaryDirectory() as path:
        tokenizer.save_pretrained(path)
        own = {"model_name": path, "encoder_config": encoder, "hidden_size": hidden}
        torch.manual_seed(0)
        return GLiNER.from_config(
            {**GLINER, **own},
            backbone_from_pretrained=False,
            map_location=device,
            local_files_only=True,
        )


def ner(labels: Sequence[str]) -> Language:
    nlp = blank()
    pipe: Any = nlp.add_pipe("ner")
    for label in labels:
        pipe.add_label(label)
    nlp.initialize()
    return nlp
