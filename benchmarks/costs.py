"""What a sentence costs: model calls, prompt tokens and output tokens of the cascade,
open NER, GPT-NER and PromptNER.

    python benchmarks/costs.py --corpus corpus/test.spacy               # a tiny model
    is built on the spot python benchmarks/costs.py --level 1 --pipeline
    training/pipeline   # also a trained pipeline, with its own prompts

All systems see the same sentences, labels, tokenizer and model, and none has
demonstrations. `calls`, `prompt` and `output` are those of plain `generate`, one per
question: per sentence, per type (GPT-NER), per mention (verification), per mention and
level (cascade). `passes` are the sequences that this project's decoders really send
through the model, where the label tries and the copies of a sentence share what they
have in common, and `run` the tokens of these.

What is written decides how many tokens there are, and a model without training would
write anything. So the model is run, but its choices are replaced by the gold answer:
the figures are those of a model that makes no mistake, and `as gold` is the share of
sentences whose entities came out as the gold ones, a check of the measurement and no
score. PromptNER's reasons are "as it is a <label>", and it lists no candidate that it
then rejects; real models write more. The trained pipeline of --pipeline answers by
itself, with its own tokenizer and all levels of its own taxonomy. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.tokens import Doc, DocBin

# the entry points do this for users
import spacy_cascade.baselines.components
import spacy_cascade.baselines.prompts  # noqa: F401
from corpus_tools.formats.docs import TOKENIZER
from spacy_cascade.decoding.labels import LabelJob
from spacy_cascade.decoding.listing import ListJob
from spacy_cascade.decoding.tree import path_to
from spacy_cascade.doc.annotations import fuse
from spacy_cascade.doc.gold import gold_chars
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.taxonomy import Taxonomy, TypePath, builtin, parse_path
from spacy_cascade.types import MentionQuery, Query, Unit

CHAT = {
    "extract": {"@prompts": "spacy-cascade.ChatExtract.v1"},
    "classify": {"@prompts": "spacy-cascade.ChatClassify.v1"},
}
# (first token, behind its last token, type)
Span = tuple[int, int, TypePath]


def read(
    nlp: Any, path: Path, limit: int, labels: LabelSet
) -> list[tuple[Doc, list[Span]]]:
    """Sentences with their flat mentions of these types, evenly spread over a corpus."""
    docs = list(DocBin().from_disk(path).get_docs(nlp.vocab))
    out = []
    for i in np.linspace(0, len(docs) - 1, min(limit, len(docs))).astype(int):
        doc = nlp.make_doc(docs[i].text.strip())
        shift = len(docs[i].text) - len(docs[i].text.lstrip())
        found = [
            (doc.char_span(s - shift, e - shift, alignment_mode="expand"), p)
            for s, e, p in gold_chars(docs[i])
        ]
        cut = [
            (
                s.start,
                s.end,
                next(
                    (p[:n] for n in range(len(p), 0, -1) if p[:n] in labels.paths), ()
                ),
            )
            for s, p in found
            if s
        ]
        known = [span for span in cut if span[2]]
        out.append((doc, [known[k] for k in fuse((s, e, 1.0) for s, e, _ in known)]))
    return out


@dataclass
class Costs:
    """Counts over a whole corpus."""

    calls: int = 0
    prompt: int = 0
    output: int = 0
    passes: int = 0
    run: int = 0

    def call(self, prompt: int, output: int) -> None:
        self.calls, self.prompt, self.output = (
            self.calls + 1,
            self.prompt + prompt,
            self.output + output,
        )


class Counted:
    """Runs a language model, counts what is run, and where an answer is expected
    prefers its tokens.
    """

    def __init__(self, lm: Any, costs: Costs):
        self.lm = lm
        self.costs = costs
        self._answers: dict[tuple[int, ...], bytes] = {}
        self._lengths: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lm, name)

    def expect(self, prompt: Sequence[int], answer: str) -> None:
        self._answers[tuple(prompt)] = answer.encode("utf8")
        self._lengths.add(len(prompt))

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        self.costs.passes += len(queries)
        self.costs.run += sum(
            len(q.ids) - (0 if q.row is None else len(q.row)) for q in queries
        )
        out = self.lm.candidate_logits(queries)
        for query, logits in zip(queries, out, strict=True) if self._answers else ():
            known = (
                self._prompt(query.ids)
                if query.parents is None and query.positions
                else 0
            )
            for row, position in enumerate(query.positions):
                nodes = (
                    range(position + 1)
                    if query.parents is None
                    else path_to(query.parents, position)
                )
                ids = [query.ids[n] for n in nodes]
                self._prefer(
                    logits[row], ids, known or self._prompt(ids), query.candidates[row]
                )
        return out

    def _prompt(self, ids: Sequence[int]) -> int:
        """Length of the prompt that these tokens begin with."""
        return next(
            n
            for n in sorted(self._lengths, reverse=True)
            if tuple(ids[:n]) in self._answers
        )

    def _prefer(
        self, logits: np.ndarray, ids: list[int], prompt: int, candidates: Sequence[int]
    ) -> None:
        """Of the tokens that go on with the answer the longest gets the highest logit,
        at its end the one that writes nothing.
        """
        table = self.lm.token_bytes()
        answer = self._answers[tuple(ids[:prompt])]
        written = b"".join(table[t] or b"" for t in ids[prompt:])
        rest = answer[len(written) :] if answer.startswith(written) else b""
        for k, token in enumerate(candidates):
            data = table[token] or b""
            logits[k] = (
                100 * len(data)
                if rest.startswith(data) and (data or not rest)
                else -100
            )


class Asking:
    """A template whose questions are counted, and their answers told to the model.

    gold (dict | None): Text -> mentions; None: the model answers by itself.
    """

    def __init__(self, template: Any, lm: Counted, gold: dict[str, list[Span]] | None):
        self.template = template
        self.counted = lm
        self.gold = gold
        self.asked: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.template, name)

    def job(self, lm: Any, unit: Unit, *args: Any, **options: Any) -> Any:
        job = self.template.job(lm, unit, *args, **options)
        self.asked.append(job)
        if self.gold is not None:
            self.counted.expect(
                job.prompt, self._answer(job, self.gold[unit.text], *args)
            )
        return job

    def _answer(self, job: Any, spans: list[Span], *args: Any) -> str:
        if isinstance(job, ListJob):
            names = args[0].names
            pairs = [
                (_surface(job.unit, span), names[args[0].paths.index(span[2])])
                for span in spans
            ]
            if hasattr(self.template, "listed"):
                return self.template.listed(
                    [(name, label, f"as it is a {label}") for name, label in pairs]
                )
            return (
                " " + "; ".join(f"{label}: {name}" for name, label in pairs)
                if pairs
                else " None"
            )
        if len(args) == 2:  # one type only
            spans = [span for span in spans if span[2] == args[0].paths[args[1]]]
        return _marked(job.unit, spans, *(m.decode() for m in job.automaton.markers))

    def verification(
        self, lm: Any, unit: Unit, span: tuple[int, int], labels: LabelSet, index: int
    ) -> LabelJob:
        job = self.template.verification(lm, unit, span, labels, index)
        self.asked.append(job)
        if self.gold is not None:
            right = (*span, labels.paths[index]) in self.gold[unit.text]
            self.counted.expect(job.prompt, "yes" if right else "no")
        return job

    def prompt(
        self, lm: Any, asked: MentionQuery, parent: TypePath, types: list[str]
    ) -> tuple[list[int], Any]:
        prompt, depths = self.template.prompt(lm, asked, parent, types)
        self.counted.costs.call(len(prompt), 0)
        if self.gold is not None:
            path = next(
                p
                for s, e, p in self.gold[asked.unit.text]
                if (s, e) == (asked.start, asked.end)
            )
            self.counted.expect(prompt, path[len(parent)])
        return prompt, depths

    def finish(self, docs: Sequence[Doc]) -> None:
        """Count what was written."""
        costs = self.counted.costs
        for job in self.asked:
            costs.call(
                len(job.prompt),
                (
                    len(job.trie.steps[int(job.log_probs.argmax())])
                    if isinstance(job, LabelJob)
                    else len(job.tokens)
                ),
            )
        if hasattr(self.template, "end_id"):
            paths = [
                parse_path(p)
                for doc in docs
                for p in doc.spans["cascade"].attrs["paths"]
            ]
            costs.output += sum(
                len(self.template.answer(self.counted, name)) + 1
                for path in paths
                for name in path
            )


def _surface(unit: Unit, span: Span) -> str:
    return unit.text[unit.tokens[span[0]][0] : unit.tokens[span[1] - 1][1]]


def _marked(unit: Unit, spans: Sequence[Span], before: str, behind: str) -> str:
    out, at = "", 0
    for start, end, _ in spans:
        a, b = unit.tokens[start][0], unit.tokens[end - 1][1]
        out += unit.text[at:a] + before + unit.text[a:b] + behind
        at = b
    return out + unit.text[at:]


def measure(
    nlp: Any, lm: Any, sentences: Sequence[tuple[Doc, list[Span]]], *, gold: bool
) -> dict[str, float]:
    """Run a pipeline over the sentences.

    RETURNS: costs per sentence and, with `gold`, the share of sentences that came out
    as the gold ones.
    """
    costs = Costs()
    counted = Counted(lm, costs)
    asking = []
    for _, pipe in nlp.pipeline:
        if hasattr(pipe, "template"):
            pipe.weights.lm = counted
            told = (
                {make_unit(doc, 0, len(doc)).text: spans for doc, spans in sentences}
                if gold
                else None
            )
            pipe.template = Asking(pipe.template, counted, told)
            asking.append(pipe.template)
    docs = list(nlp.pipe([doc.text for doc, _ in sentences], batch_size=16))
    for template in asking:
        template.finish(docs)
    out = {k: v / len(docs) for k, v in vars(costs).items()}
    if not gold:
        return out
    right = [
        {(e.start, e.end, parse_path(e._.cascade_path)) for e in doc.ents} == set(spans)
        for doc, (_, spans) in zip(docs, sentences, strict=True)
    ]
    return out | {"as_gold": sum(right) / len(right)}


def systems(base: Path, labels: Any) -> dict[str, Any]:
    """Untrained pipelines on one base, all with chat prompts and the same labels."""
    model = {"@causal_lms": "spacy-cascade.HF.v1", "name": str(base), "device": "cpu"}
    settings = {"model": model, "taxonomy": labels, "max_tokens": 1024}
    prompted: dict[str, tuple[str, dict[str, Any]]] = {
        "open NER": (
            "open_ner",
            {
                "template": {
                    "@prompts": "spacy-cascade.B2NEROpen.v1",
                    "language": "en",
                    "chat": True,
                }
            },
        ),
        "PromptNER": ("prompt_ner", {}),
        "PromptNER, no reasons": (
            "prompt_ner",
            {"template": {"@prompts": "spacy-cascade.PromptNER.v1", "reasons": 0}},
        ),
        "GPT-NER": ("gpt_ner", {}),
        "GPT-NER, no verification": ("gpt_ner", {"verify": False}),
    }
    cascade = spacy.blank("xx", config=TOKENIZER)
    cascade.add_pipe(
        "cascade_extractor",
        config={"model": model, "template": CHAT["extract"], "max_tokens": 1024},
    )
    shared = {
        "@causal_lms": "spacy-cascade.SharedLM.v1",
        "component": "cascade_extractor",
    }
    cascade.add_pipe(
        "cascade_classifier",
        config={
            "model": shared,
            "template": CHAT["classify"],
            "taxonomy": labels,
            "max_tokens": 1024,
        },
    )
    out = {"cascade": cascade}
    for name, (factory, more) in prompted.items():
        out[name] = spacy.blank("xx", config=TOKENIZER)
        out[name].add_pipe(factory, config={**settings, **more})
    return out


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--corpus",
        type=Path,
        default=Path("corpus/test.spacy"),
        help="DocBin of gold sentences with DynamicNER's types",
    )
    ap.add_argument("--sentences", type=int, default=200)
    ap.add_argument(
        "--level",
        type=int,
        default=3,
        help="types down to this level: 8, 39 or 155 of them have no child",
    )
    ap.add_argument(
        "--base",
        type=Path,
        default=None,
        help="directory of a causal LM; default: a tiny one is built",
    )
    ap.add_argument(
        "--systems",
        nargs="+",
        default=None,
        help="names of some systems, such as cascade 'open NER'",
    )
    ap.add_argument(
        "--pipeline", type=Path, default=None, help="a trained pipeline to measure, too"
    )
    ap.add_argument(
        "--output", type=Path, default=None, help="JSON file for the last line"
    )
    args = ap.parse_args()
    nlp = spacy.blank("xx", config=TOKENIZER)
    deepest = LabelSet.build(builtin("dynamicner"), level=args.level)
    names = ["->".join(path) for path in deepest.paths]
    taxonomy = Taxonomy.from_labels(names)
    sentences = read(nlp, args.corpus, args.sentences, LabelSet.build(taxonomy))
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as tmp:
        base = args.base
        if base is None:
            base = Path(tmp) / "tiny"
            words = [
                s
                for doc, _ in sentences
                for s in make_unit(doc, 0, len(doc)).segments()
            ]
            words += [f" {w}" for path in taxonomy for w in path[-1].split()]
            build_base(
                base,
                words,
                vocab_size=8000,
                case_marks=False,
                hidden_size=32,
                layers=2,
                heads=2,
                intermediate_size=64,
                max_length=8192,
            )
        lm = load_model(HFSpec(str(base), device="cpu"))
        for name, pipeline in systems(
            base, {"@taxonomies": "spacy-cascade.Labels.v1", "labels": names}
        ).items():
            if args.systems is None or name in args.systems:
                rows[name] = measure(pipeline, lm, sentences, gold=True)
                print(f"{name}: {json.dumps(rows[name])}", flush=True)
    if args.pipeline is not None:
        trained = spacy.load(args.pipeline)
        lm = next(p.lm for _, p in trained.pipeline if hasattr(p, "template"))
        rows[f"trained: {args.pipeline.name}"] = measure(
            trained, lm, sentences, gold=False
        )
    print(
        "\n| per sentence | calls | prompt tokens | output tokens | passes | tokens run | as"
        " gold |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, row in rows.items():
        cells = [
            f"{row[k]:,.1f}" for k in ("calls", "prompt", "output", "passes", "run")
        ]
        cells.append(f"{row['as_gold']:.2f}" if "as_gold" in row else "-")
        print(f"| {name} | {' | '.join(cells)} |")
    about = {
        "command": " ".join(["python", *sys.argv]), "sentences": len(sentences), "mentions": sum(len(s) for _, s in sentences),
        "types": len(taxonomy.leaves), "level": args.level,
    }  # fmt: skip
    if args.output is not None:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(
            json.dumps({**about, "systems": rows}, indent=1) + "\n", "utf8"
        )
    print(json.dumps({**about, "systems": rows}))


if __name__ == "__main__":
    main()
