"""CoNLL-2003: a pipeline before and after training on the whole train file.

    python benchmarks/run.py training.conll --data ../shared/data
        --model assets/open_sm/pipeline --adapter full --steps 900

It is trained for a fixed number of steps: all weights, or adapters. Types have the
names that the pipeline knows them by, and dev chooses among --thresholds at which a
mention is opened. Scores are those of the whole test file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from benchmarks import options
from benchmarks.common import REAL_DATA, Journal
from benchmarks.suites.training._conll import STANDARD, read_conll
from benchmarks.training import finetune, fingerprint, mentions_in, strict, to_train


def run(
    model: options.Model,
    data: options.RealData = REAL_DATA,
    adapter: options.Adapter = "full",
    steps: Annotated[int, "of training; adapters: of each stage"] = 900,
    batch: int = 32,
    rank: Annotated[int, "of adapters; alpha is twice that"] = 16,
    targets: Annotated[
        Sequence[str], "modules that get adapters, else all linear ones"
    ] = (),
    thresholds: Annotated[Sequence[float], "of opening a mention; dev chooses"] = (
        0.3,
        0.5,
    ),
    optimizer: str = "muon",
    rate: Annotated[float, "learning rate"] = 5e-3,
    noise: Annotated[float, "of subwords"] = 0.1,
    replace: options.Replace = 0.5,
    invent: Annotated[float, "share of these that are invented"] = 0.5,
    limit: Annotated[int, "sentences of every file; 0: all"] = 0,
    seed: options.Seed = 0,
    output: options.AddedTo = None,
) -> dict[str, Any]:
    """Score, train, choose a threshold, and score again.

    RETURNS (dict): What the output holds: `results` by kind of training, steps and seed.
    """
    journal = Journal(output, {"data": "CoNLL-2003, train file"})
    lora = {
        "rank": rank,
        "alpha": 2 * rank,
        "targets": list(targets) or "all-linear",
    }
    settings = {
        "max_steps": steps,
        "optimizer": optimizer,
        "learn_rate": rate,
        "batch_size": batch,
        "warmup": 0.03,
        "weight_decay": 0.05,
        "subword_noise": noise,
        "replace_rate": replace,
        "invent_rate": invent,
        "seed": seed,
    }
    nlp = to_train(model, adapter, lora)
    weights = fingerprint(nlp)
    train, dev, test = read_conll(data, nlp, STANDARD, limit)
    before = strict(nlp, test)
    # Loaded anew: what has run shares its base with others.
    nlp = to_train(model, adapter, lora)
    minutes = finetune(nlp, train, adapter, **settings)

    extractor: Any = nlp.get_pipe("cascade_extractor")
    on_dev = {}
    for threshold in thresholds:
        extractor.open_threshold = threshold
        on_dev[threshold] = strict(nlp, dev)["typed"]["f"]
    extractor.open_threshold = max(on_dev, key=lambda t: on_dev[t])
    start = time.process_time()
    after = strict(nlp, test)
    seconds = time.process_time() - start
    result = {
        "before": before,
        **after,
        "typed_f_on_dev_by_open_threshold": on_dev,
        "sentences": len(test),
        "train_sentences": len(train),
        "mentions": mentions_in(test),
        "adapter": adapter,
        **(lora if adapter == "lora" else {}),
        **settings,
        "init": model,
        "weights": weights,
        "train_minutes": round(minutes, 2),
        "sentences_per_second": round(len(test) / seconds, 1),
    }
    journal.add(f"{adapter}, {steps} steps, seed {seed}", result)
    return journal.data
