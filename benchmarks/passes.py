"""How many passes a marked copy takes, by where its first draft comes from.

    python benchmarks/passes.py training/pipeline --data corpus/test.spacy --ner
    training/baseline_ner/model-best

Runs stage 1 over the texts of a DocBin with each drafter: surface cues, the pipeline's
    own (which learns from text to text), and,
with --ner, the entities of another pipeline in front. The last line is one JSON object;
`histogram` counts texts by passes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from end_to_end import wrapped
from measure import read
from spacy.tokens import Doc

from spacy_cascade.decoding.drafters import CuesDrafter, EntsDrafter
from spacy_cascade.pipeline import extractor as stage1


def passes(pipe: Any, docs: Sequence[Doc], size: int) -> dict[str, Any]:
    found: list[int] = []

    def decode(plain: Any, lm: Any, jobs: Any, *args: Any, **kwargs: Any) -> None:
        plain(lm, jobs, *args, **kwargs)
        found.extend(job.passes for job in jobs)

    with wrapped(stage1, "decode", decode):
        for i in range(0, len(docs), size):
            pipe.predict(docs[i : i + size])
    return {
        "passes": round(float(np.mean(found)), 3),
        "histogram": np.bincount(found)[1:].tolist(),
    }


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "pipeline", help="package name or directory with a cascade_extractor"
    )
    ap.add_argument("--data", type=Path, required=True, help="DocBin")
    ap.add_argument(
        "--ner", help="package name or directory of a pipeline that sets entities"
    )
    ap.add_argument("--limit", type=int, default=0, help="texts, spread evenly; 0: all")
    args = ap.parse_args()
    nlp = spacy.load(args.pipeline)
    pipe = nlp.get_pipe("cascade_extractor")
    gold = read(args.data, nlp, args.limit)
    docs = [nlp.make_doc(doc.text) for doc in gold]
    own, out = pipe.drafter, {}
    for name, drafter in (("cues", CuesDrafter()), ("default", own)):
        pipe.drafter = drafter
        out[name] = passes(pipe, docs, nlp.batch_size)
    if args.ner:
        ner, pipe.drafter = spacy.load(args.ner), EntsDrafter()
        for doc, tagged in zip(docs, ner.pipe([doc.text for doc in gold]), strict=True):
            spans = [
                doc.char_span(e.start_char, e.end_char, label="X") for e in tagged.ents
            ]
            doc.set_ents([s for s in spans if s is not None])
        out["ner"] = passes(pipe, docs, nlp.batch_size)
    print(
        json.dumps(
            {
                **out,
                "texts": len(docs),
                "pipeline": args.pipeline,
                "ner_pipeline": args.ner,
                "data": args.data.name,
            }
        )
    )


if __name__ == "__main__":
    main()
