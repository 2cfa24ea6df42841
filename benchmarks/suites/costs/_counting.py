"""A model and templates that count what is asked, and are told the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.tokens import Doc

from spacy_cascade.decoding.labels import LabelJob
from spacy_cascade.decoding.listing import ListJob
from spacy_cascade.decoding.tree import path_to
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.taxonomy import TypePath, parse_path
from spacy_cascade.types import MentionQuery, Query, Unit

# (first token, behind its last token, type)
Span = tuple[int, int, TypePath]
Sentence = tuple[Doc, list[Span]]


@dataclass
class Costs:
    """Counts over a whole corpus."""

    calls: int = 0
    prompt: int = 0
    output: int = 0
    passes: int = 0
    run: int = 0

    def call(self, prompt: int, output: int) -> None:
        self.calls += 1
        self.prompt += prompt
        self.output += output


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
        for query in queries:
            remembered = 0 if query.row is None else len(query.row)
            self.costs.run += len(query.ids) - remembered
        out: list[np.ndarray] = self.lm.candidate_logits(queries)
        if self._answers:
            for query, logits in zip(queries, out, strict=True):
                self._replace(query, logits)
        return out

    def _replace(self, query: Query, logits: np.ndarray) -> None:
        """Prefer the expected answer. Shape (positions, candidates)."""
        chain = query.parents is None
        known = self._prompt(query.ids) if chain and query.positions else 0
        for row, position in enumerate(query.positions):
            nodes = range(position + 1)
            if query.parents is not None:
                nodes = path_to(query.parents, position)
            ids = [query.ids[node] for node in nodes]
            prompt = known or self._prompt(ids)
            self._prefer(logits[row], ids, prompt, query.candidates[row])

    def _prompt(self, ids: Sequence[int]) -> int:
        """Length of the prompt that these tokens begin with."""
        lengths = sorted(self._lengths, reverse=True)
        return next(n for n in lengths if tuple(ids[:n]) in self._answers)

    def _prefer(
        self, logits: np.ndarray, ids: list[int], prompt: int, candidates: Sequence[int]
    ) -> None:
        """Of the tokens that go on with the answer the longest gets the highest logit,
        at its end the one that writes nothing.
        """
        table = self.lm.token_bytes()
        answer = self._answers[tuple(ids[:prompt])]
        written = b"".join(table[token] or b"" for token in ids[prompt:])
        rest = answer[len(written) :] if answer.startswith(written) else b""
        for k, token in enumerate(candidates):
            data = table[token] or b""
            goes_on = rest.startswith(data) and (data or not rest)
            logits[k] = 100 * len(data) if goes_on else -100


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
            answer = self._answer(job, self.gold[unit.text], *args)
            self.counted.expect(job.prompt, answer)
        return job

    def _answer(self, job: Any, spans: list[Span], *args: Any) -> str:
        if isinstance(job, ListJob):
            return self._list(job.unit, spans, args[0])
        if len(args) == 2:  # one type only
            labels, index = args
            spans = [span for span in spans if span[2] == labels.paths[index]]
        before, behind = (marker.decode() for marker in job.automaton.markers)
        return _marked(job.unit, spans, before, behind)

    def _list(self, unit: Unit, spans: list[Span], labels: LabelSet) -> str:
        pairs = []
        for start, end, path in spans:
            surface = unit.text[unit.tokens[start][0] : unit.tokens[end - 1][1]]
            pairs.append((surface, labels.names[labels.paths.index(path)]))
        if hasattr(self.template, "listed"):
            reasoned = [(name, label, f"as it is a {label}") for name, label in pairs]
            return str(self.template.listed(reasoned))
        if not pairs:
            return " None"
        return " " + "; ".join(f"{label}: {name}" for name, label in pairs)

    def verification(
        self, lm: Any, unit: Unit, span: tuple[int, int], labels: LabelSet, index: int
    ) -> LabelJob:
        job: LabelJob = self.template.verification(lm, unit, span, labels, index)
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
            spans = {(s, e): path for s, e, path in self.gold[asked.unit.text]}
            path = spans[asked.start, asked.end]
            self.counted.expect(prompt, path[len(parent)])
        return prompt, depths

    def finish(self, docs: Sequence[Doc]) -> None:
        """Count what was written."""
        for job in self.asked:
            if isinstance(job, LabelJob):
                written = job.trie.steps[int(job.log_probs.argmax())]
            else:
                written = job.tokens
            self.counted.costs.call(len(job.prompt), len(written))
        if hasattr(self.template, "end_id"):
            for doc in docs:
                for path in doc.spans["cascade"].attrs["paths"]:
                    self._count_types(parse_path(path))

    def _count_types(self, path: TypePath) -> None:
        for name in path:
            tokens = self.template.answer(self.counted, name)
            self.counted.costs.output += len(tokens) + 1


def _marked(unit: Unit, spans: Sequence[Span], before: str, behind: str) -> str:
    out, at = "", 0
    for start, end, _ in spans:
        a, b = unit.tokens[start][0], unit.tokens[end - 1][1]
        out += unit.text[at:a] + before + unit.text[a:b] + behind
        at = b
    return out + unit.text[at:]
