"""Language models of real shapes with random weights, for measuring speed.

Since the weights are random, models are told what to write: `GoldLM` runs a model for
all that it is asked, and has its decisions replaced by the gold ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from spacy.language import Language
from spacy.util import filter_spans
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from benchmarks.common import clock
from benchmarks.device import wait
from spacy_cascade.decoding.copy import Job
from spacy_cascade.models.hf import HFCausalLM
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.tiny import train_tokenizer
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.prompts.chat import (
    CascadeNERClassify,
    CascadeNERExtract,
    ChatClassify,
    ChatExtract,
)
from spacy_cascade.prompts.compact import CompactClassify, CompactExtract
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import Query, Unit

MINI = Path(__file__).parents[1] / "assets/corpora/b2nerd_mini/NER_en"
MINI_SETS = ("mini_news", "mini_food", "mini_legal")
MINI_TRAIN = tuple(MINI / name / "train.json" for name in MINI_SETS)
MINI_TEST = tuple(MINI / name / "test.json" for name in MINI_SETS)
MINI_ALL = tuple(
    MINI / name / f"{s}.json" for name in MINI_SETS for s in ("train", "test")
)
# hidden, layers, heads, key-value heads, intermediate, vocabulary (None: that of the tokenizer)
SHAPES: dict[str, tuple[Any, ...]] = {
    "tiny": (128, 4, 4, 4, 384, None),
    "qwen2.5-0.5b": (896, 24, 14, 2, 4864, 151936),
    "qwen2.5-1.5b": (1536, 28, 12, 2, 8960, 151936),
}
Shape = Literal["tiny", "qwen2.5-0.5b", "qwen2.5-1.5b"]
TEMPLATES: dict[str, tuple[Callable[[], Any], ...]] = {
    "compact": (CompactExtract, CompactClassify),
    "chat": (ChatExtract, ChatClassify),
    "cascadener": (CascadeNERExtract, CascadeNERClassify),
}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# <mask>: an end of text that nobody writes, so that all ways write answers of the same length
_NEVER = 6
# Jobs whose gold marks are known at a time: more than are ever decoded together.
_REMEMBERED = 4096
# Whether something opens or closes at a token: ("open", 3) -> True.
Marks = dict[tuple[str, int], bool]
# A sentence and its flat mentions, as token indices.
Gold = tuple[Unit, list[tuple[int, int]]]


def read_gold(nlp: Language, paths: Sequence[Path]) -> list[Gold]:
    """Sentences with their flat mentions, from JSON files in B2NERD's form."""
    out = []
    for path in paths:
        for record in json.loads(path.read_text("utf8")):
            doc = nlp.make_doc(record["sentence"].strip())
            if not len(doc):
                continue
            places = [entity["pos"] for entity in record["entities"]]
            found = {doc.char_span(*place, alignment_mode="expand") for place in places}
            spans = filter_spans([span for span in found if span is not None])
            mentions = sorted((span.start, span.end) for span in spans)
            unit = make_unit(doc, 0, len(doc))
            out.append((unit, mentions))
    return out


def segments_of(gold: Sequence[Gold]) -> list[str]:
    """What the tokenizer of a model is trained on."""
    return [segment for unit, _ in gold for segment in unit.segments()]


def words_of(taxonomy: Taxonomy) -> list[str]:
    """Words of the names of all types, as they stand within a text."""
    out = []
    for path in taxonomy:
        out += [f" {word}" for word in path[-1].split()]
    return out


def usual_prompt(shape: str) -> str:
    """Which template a shape is measured with."""
    return "compact" if shape == "tiny" else "chat"


def usual_dtype(device: str) -> torch.dtype:
    return torch.bfloat16 if device.startswith("cuda") else torch.float32


def build(
    shape: str, segments: Sequence[str], device: str, dtype: torch.dtype
) -> HFCausalLM:
    """A model of a shape, on a tokenizer for these texts.

    shape (str): One of `SHAPES`.
    segments (Sequence[str]): What the tokenizer is trained on.
    """
    tokenizer = train_tokenizer(segments, vocab_size=8000)
    hidden, layers, heads, kv, intermediate, vocabulary = SHAPES[shape]
    config = Qwen2Config(
        vocab_size=vocabulary or len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv,
        intermediate_size=intermediate,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    model = Qwen2ForCausalLM(config).to(device)
    torch.set_default_dtype(torch.float32)
    return HFCausalLM(
        model,
        tokenizer,
        name=shape,
        spec=HFSpec("", device=device),
    )


class GoldLM:
    """Runs a model for all that it is asked about marked copies, and answers with the
    gold marks.
    """

    def __init__(self, lm: HFCausalLM):
        self.lm = lm
        # By prompt.
        self._jobs: dict[tuple[int, ...], tuple[Job, Marks]] = {}
        self.lengths: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lm, name)

    def expect(
        self,
        job: Job,
        spans: Sequence[tuple[int, int]],
    ) -> None:
        """Tell which mentions the marked copy of a job has.

        spans (Sequence): As token indices.
        """
        marks: Marks = {}
        for start, end in spans:
            marks["open", start] = True
            marks["close", end] = True
        self._jobs[tuple(job.prompt)] = job, marks
        self.lengths.add(len(job.prompt))
        if len(self._jobs) > _REMEMBERED:
            del self._jobs[next(iter(self._jobs))]

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        out = self.lm.candidate_logits(queries)
        for query, logits in zip(queries, out, strict=True):
            if query.positions:  # none: what several prompts begin with
                self._replace(query, logits)
        return out

    def _replace(self, query: Query, logits: np.ndarray) -> None:
        """Write the gold decisions over the model's. Shape (positions, candidates)."""
        prompt = self._prompt(query.ids)
        job, marks = self._jobs[prompt]
        state = job.automaton.start()
        rows = {position: row for row, position in enumerate(query.positions)}
        written = query.ids[len(prompt) :]
        for p, token in enumerate(written, len(prompt) - 1):
            if p in rows:
                row = rows[p]
                candidates = query.candidates[row]
                preferred = _preference(job, state, candidates, marks, token)
                logits[row] = -np.inf
                logits[row, : len(preferred)] = preferred
            state = job.automaton.step(state, token)

    def _prompt(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The prompt that tokens begin with."""
        for length in self.lengths:
            prompt = tuple(ids[:length])
            if prompt in self._jobs:
                return prompt
        raise KeyError("no job begins like this")


def _preference(
    job: Job,
    state: Any,
    candidates: Sequence[int],
    marks: Marks,
    drafted: int,
) -> list[int]:
    """The most gold choices first; among equals the drafted token, then the one that
    copies most.
    """
    automaton, out = job.automaton, []
    for token in candidates:
        wrong = 0
        for choice in automaton.choices(state, token):
            gold = marks.get((choice.kind, choice.token), False)
            wrong += choice.marked != gold
        behind = automaton.step(state, token)
        reach = automaton.offset(behind) - automaton.offset(state)
        liked = 500 if token == drafted else 0
        out.append(reach + liked - 1000 * wrong)
    return out


# -- `generate`, which writes what it is told


class Forced(LogitsProcessor):
    """Every row is made to write its answer."""

    def __init__(
        self,
        answers: Sequence[Sequence[int]],
        start: int,
    ):
        self.answers, self.start = answers, start

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        n = input_ids.shape[1] - self.start
        scores.fill_(-1e4)
        for row, answer in enumerate(self.answers):
            token = answer[n] if n < len(answer) else 0
            scores[row, token] = 0
        return scores


def left_padded(
    prompts: Sequence[list[int]], device: Any, pad: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both (prompts, tokens of the longest)."""
    longest = max(map(len, prompts))
    ids, mask = [], []
    for prompt in prompts:
        missing = longest - len(prompt)
        ids.append([pad] * missing + prompt)
        mask.append([0] * missing + [1] * len(prompt))
    both = torch.tensor([ids, mask], device=device)
    return both[0], both[1]


@torch.no_grad()
def generate(
    lm: HFCausalLM,
    pairs: Sequence[tuple[list[int], list[int]]],
    size: int,
    **options: Any,
) -> float:
    """Write the answers behind the prompts in batches. RETURNS: seconds."""
    start = clock()
    for i in range(0, len(pairs), size):
        batch = pairs[i : i + size]
        prompts, answers = zip(*batch, strict=True)
        ids, mask = left_padded(prompts, lm.device)
        new = max(map(len, answers))
        lm.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=new,
            min_new_tokens=new,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=_NEVER,
            logits_processor=LogitsProcessorList([Forced(answers, ids.shape[1])]),
            **options,
        )
    wait(lm)
    return clock() - start
