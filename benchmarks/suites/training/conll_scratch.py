"""CoNLL-2003 from nothing: both stages and spaCy's own `ner`, trained on the same file.

    python benchmarks/run.py training.conll_scratch --data ../shared/data

All models start from random initialization and see the 6,000 training sentences only.
Scores are those of the whole test file.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from spacy.language import Language
from spacy.training import Example

from benchmarks import options
from benchmarks.common import REAL_DATA, blank, examples, report
from benchmarks.suites.training._conll import LABELS, read_conll
from benchmarks.training import annotated, default_ner, stages
from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.scoring.scorers import cascade_score
from spacy_cascade.training.loop import SFT

SHARED = {"@causal_lms": "spacy-cascade.SharedLM.v1", "component": "cascade_extractor"}
FIGURES = {
    "extraction_f1": "cascade_extraction_f",
    "extraction_p": "cascade_extraction_p",
    "extraction_r": "cascade_extraction_r",
    "typed_f1": "cascade_typed_f",
    "type_accuracy": "cascade_accuracy",
}


def run(
    data: options.RealData = REAL_DATA,
    minutes: Annotated[float, "of training both stages together; 0: --steps"] = 12.0,
    steps: Annotated[int, "of training, with --minutes 0"] = 900,
    hidden: Annotated[int, "width"] = 128,
    layers: int = 2,
    vocab: Annotated[int, "tokens of the vocabulary"] = 2500,
    dropout: float = 0.0,
    neighbours: Annotated[bool, "heads that begin by looking at neighbours"] = True,
    optimizer: str = "muon",
    rate: Annotated[float, "learning rate"] = 5e-3,
    lm_weight: float = 0.0,
    noise: Annotated[float, "of subwords"] = 0.1,
    replace: options.Replace = 0.5,
    invent: Annotated[float, "share of these that are invented"] = 0.5,
    eval_every: Annotated[int, "steps"] = 500,
    ner_steps: Annotated[int, "of spaCy's ner; 0: without it"] = 1500,
    limit: Annotated[int, "sentences of every file; 0: all"] = 0,
    seed: options.Seed = 0,
    out: Annotated[Path | None, "directory that keeps what is trained"] = None,
) -> dict[str, Any]:
    """Train and score both systems.

    RETURNS (dict): Strict scores, minutes of training, and speed.
    """
    nlp = blank()
    files = read_conll(data, nlp, limit=limit)
    split = Split(*(examples(docs, nlp) for docs in files))
    model = {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "layers": layers,
        "heads": hidden // 32,
        "intermediate_size": 3 * hidden,
        "dropout": dropout,
        "neighbours": neighbours,
    }
    loop = {
        "optimizer": optimizer,
        "learn_rate": rate,
        "max_minutes": minutes,
        "max_steps": 0 if minutes else steps,
        "lm_weight": lm_weight,
        "subword_noise": noise,
        "replace_rate": replace,
        "invent_rate": invent,
        "eval_every": eval_every,
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as tmp:
        trained = train(nlp, split, out or Path(tmp), model, loop)
        start = time.time()
        texts = [eg.reference.text for eg in split.test]
        found = list(nlp.pipe(texts, batch_size=64))
        seconds = time.time() - start
        _, extractor = stages(nlp)[0]
        parameters = sum(p.numel() for p in extractor.lm.model.parameters())
    pairs = zip(found, split.test, strict=True)
    scores = cascade_score([Example(doc, eg.reference) for doc, eg in pairs])
    figures = {}
    for name, key in FIGURES.items():
        figures[name] = round(scores[key] or 0.0, 4)
    return {
        **figures,
        **(ner(split, ner_steps, seed) if ner_steps else {}),
        "minutes": round(trained, 2),
        "test_sentences": len(split.test),
        "sentences_per_second": round(len(split.test) / seconds, 1),
        "parameters": parameters,
        "seed": seed,
    }


@dataclass
class Split:
    train: list[Example]
    dev: list[Example]
    test: list[Example]


def train(
    nlp: Language, split: Split, out: Path, model: dict[str, Any], loop: dict[str, Any]
) -> float:
    """RETURNS: minutes of training, tokenizer included."""
    start = time.time()
    segments: list[str] = []
    for eg in split.train:
        segments += make_unit(eg.reference, 0, len(eg.reference)).segments()
    build_base(out / "base", segments, **model)
    lm = {"@causal_lms": "spacy-cascade.HF.v1", "name": str(out / "base")}
    types = {"@taxonomies": "spacy-cascade.Labels.v1", "labels": list(LABELS)}
    nlp.add_pipe("cascade_extractor", config={"model": lm, "adapter": None})
    classifier = {"model": SHARED, "adapter": None, "taxonomy": types}
    nlp.add_pipe("cascade_classifier", config=classifier)
    nlp.initialize(lambda: split.train)
    sft = SFT(
        ["cascade_extractor", "cascade_classifier"],
        weight_decay=0.05,
        warmup=0.03,
        batch_size=32,
        dev_limit=400,
        save_every=0,
        **loop,
    )
    sft.run(
        nlp, split.train, split.dev, out / "run", report=lambda info: report(**info)
    )
    return (time.time() - start) / 60


def ner(
    split: Split,
    steps: int,
    seed: int,
) -> dict[str, float]:
    """spaCy's `ner` on its default tok2vec."""
    start = time.time()

    def draw(rng: random.Random) -> list[Example]:
        return rng.sample(split.train, min(64, len(split.train)))

    nlp = default_ner(split.train, steps, seed, draw)
    minutes = (time.time() - start) / 60
    f1 = cascade_score(annotated(nlp, split.test))["cascade_typed_f"]
    return {"spacy_ner_f1": round(f1, 4), "spacy_ner_minutes": round(minutes, 2)}
