"""How many passes a marked copy takes, by where its first draft comes from.

    python benchmarks/run.py speed.passes --model training/pipeline
        --data corpus/test.spacy --ner training/baseline_ner/model-best

Runs stage 1 over the texts of a DocBin with each drafter: surface cues, the pipeline's
own (which learns from text to text), and, with --ner, the entities of another pipeline
in front. `histogram` counts texts by passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import spacy
from spacy.tokens import Doc

from benchmarks import options
from benchmarks.common import read
from benchmarks.suites.speed._watch import decoded_jobs
from spacy_cascade.decoding.drafters import CuesDrafter, EntsDrafter


def run(
    model: options.Model,
    data: options.Gold,
    ner: Annotated[str | None, "a pipeline that sets entities"] = None,
    limit: options.Limit = 0,
) -> dict[str, Any]:
    """Run stage 1 once with each drafter.

    RETURNS (dict): Under the name of each drafter the mean of passes and their histogram.
    """
    nlp = spacy.load(model)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    gold = read(data, nlp, limit)
    docs = [nlp.make_doc(doc.text) for doc in gold]

    out: dict[str, Any] = {}
    for name, drafter in (("cues", CuesDrafter()), ("default", pipe.drafter)):
        pipe.drafter = drafter
        out[name] = passes(pipe, docs, nlp.batch_size)
    if ner:
        add_entities(docs, ner)
        pipe.drafter = EntsDrafter()
        out["ner"] = passes(pipe, docs, nlp.batch_size)
    about = {
        "texts": len(docs),
        "pipeline": model,
        "ner_pipeline": ner,
        "data": data.name,
    }
    return {**out, **about}


def add_entities(docs: Sequence[Doc], model: str) -> None:
    """Set the entities that another pipeline finds."""
    ner = spacy.load(model)
    found = ner.pipe([doc.text for doc in docs])
    for doc, tagged in zip(docs, found, strict=True):
        spans = [
            doc.char_span(e.start_char, e.end_char, label="X") for e in tagged.ents
        ]
        doc.set_ents([s for s in spans if s is not None])


def passes(
    pipe: Any,
    docs: Sequence[Doc],
    size: int,
) -> dict[str, Any]:
    """Mean passes, and how many texts took one, two, three ... of them.

    pipe (CascadeExtractor): With the drafter to be measured.
    size (int): Texts at a time.
    """
    with decoded_jobs() as jobs:
        for i in range(0, len(docs), size):
            pipe.predict(docs[i : i + size])
    found = [job.passes for job in jobs]
    return {
        "passes": round(float(np.mean(found)), 3),
        "histogram": np.bincount(found)[1:].tolist(),
    }
