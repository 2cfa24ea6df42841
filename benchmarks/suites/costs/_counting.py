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

# First token, behind its last token, type.
Span = tuple[int, int, TypePath]
Sentence = tuple[Doc, list[Span]]
# Token ids.
Prompt = tuple[int, ...]


@dataclass
class Costs:
    """Counts over a whole corpus."""

    calls: int = 0
    prompt: int = 0
    output: int = 0
    passes: int = 0
    run: int = 0

    def call(self, prompt: int, output: int) -> None:
        """Count a call of plain `generate`.

        prompt (int): Tokens of the prompt.
        output (int): Tokens written.
        """
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
        self._answers: dict[Prompt, bytes] = {}
        self._lengths: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lm, name)

    def expect(self, prompt: Sequence[int], answer: str) -> None:
        """Tell what is to be written.

        prompt (Sequence[int]): Token ids.
        answer (str): What follows the prompt.
        """
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
        known = 0
        if chain and query.positions:
            known = self._prompt(query.ids)
        for row, position in enumerate(query.positions):
            nodes = range(position + 1)
            if query.parents is not None:
                nodes = path_to(query.parents, position)
            ids = [query.ids[node] for node in nodes]
            prompt = known or self._prompt(ids)
            candidates = query.candidates[row]
            self._prefer(logits[row], ids, prompt, candidates)

    def _prompt(self, ids: Sequence[int]) -> int:
        """Length of the prompt that these tokens begin with."""
        for length in sorted(self._lengths, reverse=True):
            if tuple(ids[:length]) in self._answers:
                return length
        raise KeyError("nobody asked this")

    def _prefer(
        self, logits: np.ndarray, ids: list[int], prompt: int, candidates: Sequence[int]
    ) -> None:
        """Of the tokens that go on with the answer the longest gets the highest logit,
        at its end the one that writes nothing.
        """
        table = self.lm.token_bytes()
        answer = self._answers[tuple(ids[:prompt])]
        written = b""
        for token in ids[prompt:]:
            written += table[token] or b""
        rest = b""
        if answer.startswith(written):
            rest = answer[len(written) :]
        for k, token in enumerate(candidates):
            data = table[token] or b""
            at_the_end = not data and not rest
            goes_on = data and rest.startswith(data)
            logits[k] = -100
            if goes_on or at_the_end:
                logits[k] = 100 * len(data)


class Asking:
    """A template whose questions are counted, and their answers told to the model.

    gold (dict | None): Text -> mentions; None: the model answers by itself.
    """

    def __init__(
        self,
        template: Any,
        lm: Counted,
        gold: dict[str, list[Span]] | None,
    ):
        self.template = template
        self.counted = lm
        self.gold = gold
        self.asked: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.template, name)

    def job(
        self,
        lm: Any,
        unit: Unit,
        *args: Any,
        **options: Any,
    ) -> Any:
        """A job of the template, whose answer the model is told.

        args: What the template takes besides text and model: nothing, the label set, or the
            label set and the index of one type.
        """
        job = self.template.job(lm, unit, *args, **options)
        self.asked.append(job)
        if self.gold is not None:
            spans = self.gold[unit.text]
            answer = self._answer(job, spans, *args)
            self.counted.expect(job.prompt, answer)
        return job

    def _answer(
        self,
        job: Any,
        spans: list[Span],
        *args: Any,
    ) -> str:
        """What a model that makes no mistake would write.

        spans (list): Gold mentions of the text.
        """
        if isinstance(job, ListJob):
            return self._list(job.unit, spans, args[0])
        if len(args) == 2:  # one type only
            labels, index = args
            path = labels.paths[index]
            spans = [span for span in spans if span[2] == path]
        before, behind = job.automaton.markers
        return _marked(job.unit, spans, before.decode(), behind.decode())

    def _list(
        self,
        unit: Unit,
        spans: list[Span],
        labels: LabelSet,
    ) -> str:
        """Mentions as open NER and PromptNER list them."""
        pairs = []
        for start, end, path in spans:
            first, behind = _characters(unit, start, end)
            label = labels.names[labels.paths.index(path)]
            pairs.append((unit.text[first:behind], label))
        if hasattr(self.template, "listed"):
            reasoned = []
            for name, label in pairs:
                reasoned.append((name, label, f"as it is a {label}"))
            return str(self.template.listed(reasoned))
        if not pairs:
            return " None"
        entries = [f"{label}: {name}" for name, label in pairs]
        return " " + "; ".join(entries)

    def verification(
        self, lm: Any, unit: Unit, span: tuple[int, int], labels: LabelSet, index: int
    ) -> LabelJob:
        """Whether a mention has a type: the answer is yes or no.

        span (tuple): First token, and behind its last token.
        index (int): Of the type in the label set.
        """
        job: LabelJob = self.template.verification(lm, unit, span, labels, index)
        self.asked.append(job)
        if self.gold is not None:
            asked = (*span, labels.paths[index])
            right = asked in self.gold[unit.text]
            answer = "yes" if right else "no"
            self.counted.expect(job.prompt, answer)
        return job

    def prompt(
        self, lm: Any, asked: MentionQuery, parent: TypePath, types: list[str]
    ) -> tuple[list[int], Any]:
        """The question for the type of a mention, below `parent`.

        parent (TypePath): Types known so far.
        types (list[str]): What is asked for.
        """
        prompt, depths = self.template.prompt(lm, asked, parent, types)
        self.counted.costs.call(len(prompt), 0)
        if self.gold is not None:
            paths = {}
            for start, end, path in self.gold[asked.unit.text]:
                paths[start, end] = path
            right = paths[asked.start, asked.end]
            self.counted.expect(prompt, right[len(parent)])
        return prompt, depths

    def finish(self, docs: Sequence[Doc]) -> None:
        """Count what was written."""
        for job in self.asked:
            if isinstance(job, LabelJob):
                chosen = int(job.log_probs.argmax())
                written = job.trie.steps[chosen]
            else:
                written = job.tokens
            self.counted.costs.call(len(job.prompt), len(written))
        if hasattr(self.template, "end_id"):
            for doc in docs:
                for path in doc.spans["cascade"].attrs["paths"]:
                    self._count_types(parse_path(path))

    def _count_types(self, path: TypePath) -> None:
        """Each type of a path is written, and then the end."""
        for name in path:
            tokens = self.template.answer(self.counted, name)
            self.counted.costs.output += len(tokens) + 1


def _characters(unit: Unit, start: int, end: int) -> tuple[int, int]:
    """Where tokens begin and end in the text."""
    first, _ = unit.tokens[start]
    _, behind = unit.tokens[end - 1]
    return first, behind


def _marked(
    unit: Unit,
    spans: Sequence[Span],
    before: str,
    behind: str,
) -> str:
    """The text with marks around mentions.

    before (str), behind (str): The marks.
    """
    out, at = "", 0
    for start, end, _ in spans:
        first, last = _characters(unit, start, end)
        mention = before + unit.text[first:last] + behind
        out += unit.text[at:first] + mention
        at = last
    return out + unit.text[at:]
