"""What a sentence costs: model calls, prompt tokens and output tokens of the cascade,
open NER, GPT-NER and PromptNER.

    python benchmarks/run.py costs.calls --data corpus/test.spacy
    python benchmarks/run.py costs.calls --level 1 --pipeline training/pipeline

A tiny model is built on the spot. With --pipeline also a trained pipeline is measured,
with its own prompts. All systems see the same sentences, labels, tokenizer and model,
and none has demonstrations. `calls`, `prompt` and `output` are those of plain
`generate`, one per question: per sentence, per type (GPT-NER), per mention
(verification), per mention and level (cascade). `passes` are the sequences that this
project's decoders really send through the model, where the label tries and the copies
of a sentence share what they have in common, and `run` the tokens of these.

What is written decides how many tokens there are, and a model without training would
write anything. So the model is run, but its choices are replaced by the gold answer:
the figures are those of a model that makes no mistake, and `as_gold` is the share of
sentences whose entities came out as the gold ones, a check of the measurement and no
score. PromptNER's reasons are "as it is a <label>", and it lists no candidate that it
then rejects; real models write more. The trained pipeline of --pipeline answers by
itself, with its own tokenizer and all levels of its own taxonomy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import spacy
from spacy.tokens import Doc

# The entry points do this for users.
import spacy_cascade.baselines.components
import spacy_cascade.baselines.prompts  # noqa: F401
from benchmarks.common import blank, evenly, report
from benchmarks.common import read as read_docs
from benchmarks.random_models import words_of
from benchmarks.suites.costs._counting import Asking, Costs, Counted, Sentence, Span
from spacy_cascade.doc.annotations import fuse
from spacy_cascade.doc.gold import gold_chars
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.taxonomy import Taxonomy, builtin, parse_path

CHAT = {
    "extract": {"@prompts": "spacy-cascade.ChatExtract.v1"},
    "classify": {"@prompts": "spacy-cascade.ChatClassify.v1"},
}
OPEN = {"@prompts": "spacy-cascade.B2NEROpen.v1", "language": "en", "chat": True}
NO_REASONS = {"@prompts": "spacy-cascade.PromptNER.v1", "reasons": 0}
SHARED = {"@causal_lms": "spacy-cascade.SharedLM.v1", "component": "cascade_extractor"}
PROMPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "open NER": ("open_ner", {"template": OPEN}),
    "PromptNER": ("prompt_ner", {}),
    "PromptNER, no reasons": ("prompt_ner", {"template": NO_REASONS}),
    "GPT-NER": ("gpt_ner", {}),
    "GPT-NER, no verification": ("gpt_ner", {"verify": False}),
}
TINY: dict[str, Any] = {
    "vocab_size": 8000,
    "case_marks": False,
    "hidden_size": 32,
    "layers": 2,
    "heads": 2,
    "intermediate_size": 64,
    "max_length": 8192,
}


def run(
    data: Annotated[Path, "gold DocBin with DynamicNER's types"] = Path(
        "corpus/test.spacy"
    ),
    sentences: int = 200,
    level: Annotated[
        int, "types down to this level: 8, 39 or 155 of them have no child"
    ] = 3,
    base: Annotated[
        Path | None, "directory of a causal LM, else a tiny one is built"
    ] = None,
    systems: Annotated[Sequence[str], "only these, such as cascade 'open NER'"] = (),
    pipeline: Annotated[Path | None, "a trained pipeline to measure, too"] = None,
) -> dict[str, Any]:
    """Count what all systems ask for.

    RETURNS (dict): `systems` has the costs per sentence of each.
    """
    deepest = LabelSet.build(builtin("dynamicner"), level=level)
    names = ["->".join(path) for path in deepest.paths]
    taxonomy = Taxonomy.from_labels(names)
    gold = read(blank(), data, sentences, LabelSet.build(taxonomy))
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as tmp:
        folder = base or tiny_base(Path(tmp) / "tiny", gold, taxonomy)
        lm = load_model(HFSpec(str(folder), device="cpu"))
        labels = {"@taxonomies": "spacy-cascade.Labels.v1", "labels": names}
        for name, nlp in all_systems(folder, labels).items():
            if not systems or name in systems:
                rows[name] = measure(nlp, lm, gold, gold=True)
                report(**{name: rows[name]})
    if pipeline is not None:
        trained = spacy.load(pipeline)
        pipes = [pipe for _, pipe in trained.pipeline if hasattr(pipe, "template")]
        name = f"trained: {pipeline.name}"
        rows[name] = measure(trained, pipes[0].lm, gold, gold=False)
    return {
        "sentences": len(gold),
        "mentions": sum(len(spans) for _, spans in gold),
        "types": len(taxonomy.leaves),
        "level": level,
        "systems": rows,
    }


def read(
    nlp: Any,
    path: Path,
    limit: int,
    labels: LabelSet,
) -> list[Sentence]:
    """Sentences with their flat mentions of these types, evenly spread over a corpus."""
    out = []
    for gold in evenly(read_docs(path, nlp), limit):
        doc = nlp.make_doc(gold.text.strip())
        shift = len(gold.text) - len(gold.text.lstrip())
        known: list[Span] = []
        for start, end, type_path in gold_chars(gold):
            span = doc.char_span(start - shift, end - shift, alignment_mode="expand")
            lengths = range(len(type_path), 0, -1)
            cut = [type_path[:n] for n in lengths if type_path[:n] in labels.paths]
            if span and cut:
                known.append((span.start, span.end, cut[0]))
        kept = fuse((start, end, 1.0) for start, end, _ in known)
        out.append((doc, [known[k] for k in kept]))
    return out


def tiny_base(
    folder: Path,
    sentences: Sequence[Sentence],
    taxonomy: Taxonomy,
) -> Path:
    words: list[str] = []
    for doc, _ in sentences:
        words += make_unit(doc, 0, len(doc)).segments()
    words += words_of(taxonomy)
    build_base(folder, words, **TINY)
    return folder


def all_systems(base: Path, labels: Any) -> dict[str, Any]:
    """Untrained pipelines on one base, all with chat prompts and the same labels."""
    model = {
        "@causal_lms": "spacy-cascade.HF.v1",
        "name": str(base),
        "device": "cpu",
    }
    extract = {
        "model": model,
        "template": CHAT["extract"],
        "max_tokens": 1024,
    }
    classify = {
        "model": SHARED,
        "template": CHAT["classify"],
        "max_tokens": 1024,
    }
    cascade = blank()
    cascade.add_pipe("cascade_extractor", config=extract)
    cascade.add_pipe("cascade_classifier", config={**classify, "taxonomy": labels})
    out = {"cascade": cascade}
    for name, (factory, more) in PROMPTED.items():
        config = {
            "model": model,
            "taxonomy": labels,
            "max_tokens": 1024,
            **more,
        }
        out[name] = blank()
        out[name].add_pipe(factory, config=config)
    return out


def measure(
    nlp: Any, lm: Any, sentences: Sequence[Sentence], *, gold: bool
) -> dict[str, float]:
    """Run a pipeline over the sentences.

    RETURNS: costs per sentence and, with `gold`, the share of sentences that came out
    as the gold ones.
    """
    costs = Costs()
    counted = Counted(lm, costs)
    told = None
    if gold:
        told = {}
        for doc, spans in sentences:
            unit = make_unit(doc, 0, len(doc))
            told[unit.text] = spans
    asking = []
    for _, pipe in nlp.pipeline:
        if hasattr(pipe, "template"):
            pipe.weights.lm = counted
            pipe.template = Asking(pipe.template, counted, told)
            asking.append(pipe.template)
    texts = [doc.text for doc, _ in sentences]
    docs = list(nlp.pipe(texts, batch_size=16))
    for template in asking:
        template.finish(docs)
    out = {k: v / len(docs) for k, v in vars(costs).items()}
    if gold:
        out["as_gold"] = as_gold(docs, sentences)
    return out


def as_gold(docs: Sequence[Doc], sentences: Sequence[Sentence]) -> float:
    right = 0
    for doc, (_, spans) in zip(docs, sentences, strict=True):
        found = {
            (ent.start, ent.end, parse_path(ent._.cascade_path)) for ent in doc.ents
        }
        right += found == set(spans)
    return right / len(docs)
