"""For orientation: this project, GLiNER and spaCy's `ner` on the same texts, one after
the other in the same run.

    python -m pip install --no-deps -c constraints.txt gliner sentencepiece
    python benchmarks/peers.py --shape tiny --batch 8 32

All weights are random, so this is about speed alone. GLiNER (arXiv 2311.08526; span
model, DeBERTa-v3 encoder) is built from a config: as many layers of the same width as
the language model here, and its tokenizer. Its threshold is so high that no span is
kept, as random scores would keep half of them all: decoding them is not in its time.
This project runs both stages, with marks as in scaling.py; 8, 31 and 155 types are the
levels of its taxonomy, below one another. `ner` has its default width of 96. Everything
from text to entities counts. The last line is one JSON object: texts per second of the
best --batch.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from decoding import CLOCKS, MINI, SHAPES, build, read, report, set_clock
from scaling import best, blank, pipeline
from spacy.language import Language

from spacy_cascade.taxonomy import Taxonomy, builtin

_SETS = ("mini_news", "mini_food", "mini_legal")
_TOO_HIGH = 0.9999


def taxonomies() -> dict[int, Taxonomy]:
    """The first, the first two, and all levels of the built-in taxonomy, by number of
    types on the last one.
    """
    whole = builtin("dynamicner")
    out = {}
    for depth in range(1, whole.depth + 1):
        paths = list(dict.fromkeys(leaf[:depth] for leaf in whole.leaves))
        out[len(paths)] = Taxonomy.from_labels([" > ".join(p) for p in paths])
    return out


def gliner(shape: str, tokenizer: Any, device: str) -> Any:
    """A GLiNER of this shape with random weights. RAISES ImportError: if it is not installed."""
    from gliner import GLiNER

    hidden, layers, heads, _, intermediate, _ = SHAPES[shape]
    with tempfile.TemporaryDirectory() as path:
        tokenizer.save_pretrained(path)
        encoder = {
            "model_type": "deberta-v2", "vocab_size": len(tokenizer), "hidden_size": hidden, "num_hidden_layers": layers,
            "num_attention_heads": heads, "intermediate_size": intermediate, "max_position_embeddings": 512, "type_vocab_size": 0,
            "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 256, "max_relative_positions": -1,
            "norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False, "pad_token_id": 0,
        }  # fmt: skip
        config = {
            "model_type": "gliner_uni_encoder_span", "model_name": path, "encoder_config": encoder, "hidden_size": hidden,
            "max_width": 12, "max_len": 1024, "max_types": 1000,
        }  # fmt: skip
        torch.manual_seed(0)
        return GLiNER.from_config(
            config,
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


def speed(
    run: Callable[[int], Any], texts: int, batches: Sequence[int], repeat: int
) -> float:
    """Texts per second at the best batch size."""
    return max(texts / best(lambda b=b: run(b), repeat) for b in batches)  # type: ignore[misc]


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--shape", choices=SHAPES, default="tiny")
    ap.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    ap.add_argument("--batch", type=int, nargs="+", default=[8, 32])
    ap.add_argument("--sentences", type=int, default=54)
    ap.add_argument("--repeat", type=int, default=3)
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
    chosen = np.linspace(0, len(gold) - 1, min(args.sentences, len(gold))).astype(int)
    texts = [gold[i][0].text for i in chosen]
    by_size = taxonomies()
    names = [f" {w}" for p in builtin("dynamicner") for w in p[-1].split()]
    dtype = torch.bfloat16 if args.device.startswith("cuda") else torch.float32
    lm = build(
        args.shape,
        [s for u, _ in gold for s in u.segments()] + names,
        args.device,
        dtype,
    )
    ours = pipeline(lm, "compact" if args.shape == "tiny" else "chat")
    found: dict[str, Any] = {"ours": {}, "gliner": {}, "spacy_ner": {}}
    parameters = {"ours": sum(p.numel() for p in lm.model.parameters())}
    try:
        other: Any = gliner(args.shape, lm.tokenizer, args.device)
        other.to(dtype)
        parameters["gliner"] = sum(p.numel() for p in other.parameters())
    except ImportError as err:
        other, found["gliner"] = None, f"not measured: {err}"
    for n, taxonomy in by_size.items():
        labels = [" ".join(p[-1].split()) for p in taxonomy.leaves]
        ours.get_pipe("cascade_classifier").set_taxonomy(taxonomy)  # type: ignore[attr-defined]
        small = ner(labels)
        list(ours.pipe(texts[:8]))
        found["ours"][n] = speed(
            lambda b: list(ours.pipe(texts, batch_size=b)),
            len(texts),
            args.batch,
            args.repeat,
        )
        found["spacy_ner"][n] = speed(
            lambda b, nlp=small: list(nlp.pipe(texts, batch_size=b)),
            len(texts),
            args.batch,
            args.repeat,
        )  # type: ignore[misc]
        if other is not None:

            def run(b: int, labels: list[str] = labels) -> Any:
                return other.inference(texts, labels, threshold=_TOO_HIGH, batch_size=b)

            kept = sum(map(len, run(args.batch[0])))
            if kept:
                raise RuntimeError(
                    f"GLiNER kept {kept} spans above {_TOO_HIGH}: its decoding would be in the"
                    " time"
                )
            found["gliner"][n] = speed(run, len(texts), args.batch, args.repeat)
        report(
            **{str(n): {who: v[n] for who, v in found.items() if isinstance(v, dict)}}
        )
    about = {
        "shape": args.shape,
        "device": args.device,
        "dtype": str(dtype),
        "threads": torch.get_num_threads(),
        "clock": args.clock,
    }
    report(
        **found, parameters=parameters, sentences=len(texts), batch=args.batch, **about
    )


if __name__ == "__main__":
    main()
