"""Parts that the tests share: texts, tiny pipelines, gold examples, and a language
model that follows a script.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from corpus_tools.formats.docs import TOKENIZER
from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.decoding.copy import GREEDY, Job, Sampling
from spacy_cascade.decoding.jobs import Decision, copy_depths, finish
from spacy_cascade.decoding.native import NativeAutomaton, Vocabulary
from spacy_cascade.decoding.sampling import choose
from spacy_cascade.decoding.tree import path_to
from spacy_cascade.models.encoding import CASE_MARKS, join_case
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.prompts.compact import CompactExtract
from spacy_cascade.registry import causal_lms
from spacy_cascade.training.augment import gold_doc
from spacy_cascade.types import Query, Unit

# One or two sentences of each of eight languages.
SENTENCES = (
    "John Smith flew from New York to Paris with ACME Corp. on Monday.",
    "She doesn't like it, they said.",
    "La señora García vive en México desde 1998.",
    "L'été dernier, Zoë a visité l'Île-de-France avec Air France.",
    "Angela Merkel sprach in Berlin über die Europäische Union.",
    "李小龙出生于美国旧金山，后来回到香港。",
    "東京タワーは1958年に港区で完成した。",
    "김철수는 서울에서 삼성전자에 다닌다.",
    "Владимир Петров живёт в Санкт-Петербурге с 2003 года.",
)
# Texts that trip up offset arithmetic.
ODD = (
    "a ## b ##c## d#e ###",
    "## John ## Smith ##",
    "👩‍👩‍👧 loves 🇫🇷 and ☕️!",
    "e\u0301te\u0301 cafe\u0301 n\u0303 A\u030a",
    "שלום עולם, אני גר בתל אביב.",
    "مرحبا بالعالم \u200f(القاهرة)\u200e",
    "zero\u200bwidth\u200djoiner \ufeffbom soft\u00adhyphen",
    "İstanbul Straße ǆ ﬁne ẞ",
    "tabs\tand\nnew  lines\r\n\r\nend",
    "x",
    "#",
    "か\u3099き\u3099 葛\U000e0100飾区",
    "ภาษาไทยครับ ที่นี่",
)

GOLD = (
    (
        "John Smith flew to Paris.",
        [("John Smith", "person"), ("Paris", "location > city")],
    ),
    (
        "Mary Jones works in Berlin.",
        [("Mary Jones", "person"), ("Berlin", "location > city")],
    ),
    (
        "Paris lies in France.",
        [("Paris", "location > city"), ("France", "location > country")],
    ),
    ("Nothing happens here.", []),
    (
        "Peter Brown left Spain with Mary Jones.",
        [
            ("Peter Brown", "person"),
            ("Spain", "location > country"),
            ("Mary Jones", "person"),
        ],
    ),
    ("In Tokyo it rained.", [("Tokyo", "location > city")]),
    (
        "We saw France and Spain.",
        [("France", "location > country"), ("Spain", "location > country")],
    ),
    (
        "They met Peter Brown in Berlin.",
        [("Peter Brown", "person"), ("Berlin", "location > city")],
    ),
)
LABELS = ["person", "location > city", "location > country"]
# Mentions that a scripted model knows, with paths of these labels.
NAMES = {
    "John": ("person",),
    "Paris": ("location", "city"),
    "France": ("location", "country"),
    "Paris Hilton": ("person",),
}


def blank() -> Language:
    return spacy.blank("xx", config=TOKENIZER)


def segments(nlp: Language, texts: Iterable[str]) -> list[str]:
    docs = [nlp.make_doc(t) for t in texts]
    return [s for d in docs if len(d) for s in make_unit(d, 0, len(d)).segments()]


def model_config(path: Path | str, **more: Any) -> dict[str, Any]:
    return {
        "@causal_lms": "spacy-cascade.HF.v1",
        "name": str(path),
        "device": "cpu",
        **more,
    }


SHARED = {"@causal_lms": "spacy-cascade.SharedLM.v1", "component": "cascade_extractor"}


def labels_config(labels: Sequence[str] = LABELS) -> dict[str, Any]:
    return {"@taxonomies": "spacy-cascade.Labels.v1", "labels": list(labels)}


def cascade(
    base: Path,
    *,
    extractor: Mapping[str, Any] | None = None,
    classifier: Mapping[str, Any] | None = None,
) -> Language:
    """Both stages on one base with two adapters."""
    nlp = blank()
    nlp.add_pipe(
        "cascade_extractor", config={"model": model_config(base), **(extractor or {})}
    )
    nlp.add_pipe(
        "cascade_classifier",
        config={"model": SHARED, "taxonomy": labels_config(), **(classifier or {})},
    )
    return nlp


def example(nlp: Language, text: str, mentions: Iterable[tuple[str, str]]) -> Example:
    """Gold from (mention, path) pairs; each is searched behind the one before, so
    repeated mentions are told apart.
    """
    spans, at = [], 0
    for name, path in mentions:
        start = text.index(name, at)
        at = start + len(name)
        spans.append((start, at, tuple(path.split(" > ")) if path else ()))
    return Example(nlp.make_doc(text), gold_doc(nlp, text, spans))


def examples(nlp: Language, gold: Iterable[tuple[str, Any]] = GOLD) -> list[Example]:
    return [example(nlp, text, mentions) for text, mentions in gold]


def entities(doc: Doc) -> list[tuple[int, int, str]]:
    return [(e.start_char, e.end_char, e.label_) for e in doc.ents]


def spans(doc: Doc) -> list[tuple[int, int, str, str]]:
    group = doc.spans["cascade"]
    paths = group.attrs.get("paths") or [""] * len(group)
    return [
        (s.start_char, s.end_char, s.label_, p)
        for s, p in zip(group, paths, strict=True)
    ]


def scores(doc: Doc) -> list[float]:
    attrs = doc.spans["cascade"].attrs
    return [*attrs.get("scores", ()), *attrs.get("path_scores", ())]


# -- Models --------------------------------------------------------------------------


def load_private(path: Path, **options: Any) -> Any:
    """The model in a directory, on the CPU, not shared with other tests."""
    return load_model(HFSpec(str(path), device="cpu", **options), private=True)


def random_lm(
    base: Path, *, factor: float = 3.0, seed: int = 0, double: bool = True
) -> Any:
    """A private copy of a base with other random weights, `factor` times as large, so
    that its decisions vary.

    double (bool): float64. The same sequence gives a little different logits in batches
        of different shapes; in float64 the difference is too small to turn a decision,
        so that equality can be asked for without exceptions.
    """
    import torch

    lm = load_model(HFSpec(str(base), device="cpu", batch_tokens=8192), private=True)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in lm.model.parameters():
            if p.dim() > 1:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.02)
            p.mul_(factor)
    if double:
        lm.model.double()
    return lm


def units(nlp: Language, texts: Iterable[str]) -> list[Unit]:
    """Texts as units, without white space at their ends (as `windows.cut` makes them)."""
    out = []
    for text in texts:
        doc = nlp.make_doc(text)
        words = [t.i for t in doc if not t.is_space]
        if words:
            out.append(make_unit(doc, words[0], words[-1] + 1))
    return out


def segment_jobs(
    lm: Any, found: Iterable[Unit], known: Sequence[tuple[int, int]] = ()
) -> list[Job]:
    template = CompactExtract()
    return [
        template.job(lm, u, Guess(u, [(s, e) for s, e in known if e <= len(u.tokens)]))
        for u in found
    ]


def native_jobs(
    lm: Any,
    found: Iterable[Unit],
    known: Sequence[tuple[int, int]] = (),
    *,
    end: str = "</s>",
) -> list[Job]:
    """Jobs with '##' as plain characters, on the whole vocabulary of the tokenizer."""
    vocabulary = Vocabulary(lm.token_bytes())
    out = []
    for u in found:
        prompt = [lm.token_id("<s>"), *lm.encode(u.text), lm.token_id("<sep>")]
        automaton = NativeAutomaton(
            u, vocabulary, lm.encode, marker="##", end=lm.token_id(end)
        )
        out.append(
            Job(
                u,
                prompt,
                automaton,
                Guess(u, [(s, e) for s, e in known if e <= len(u.tokens)]),
            )
        )
    return out


def decode_batched(lm: Any, jobs: Sequence[Job], sampling: Sampling = GREEDY) -> None:
    """`decode_stepwise`, with all jobs advancing together: one token of every job per
    round. Nothing is drafted.
    """
    states = [job.automaton.start() for job in jobs]
    history: list[list[Any]] = [[] for _ in jobs]
    decisions: list[list[Decision]] = [[] for _ in jobs]
    for job in jobs:
        job.tokens = []
    live = list(range(len(jobs)))
    while live:
        asked = []
        for i in live:
            job = jobs[i]
            while (
                not job.automaton.done(states[i])
                and len(job.automaton.allowed(states[i])) == 1
            ):
                _advance(job, states, history, i, job.automaton.allowed(states[i])[0])
            if not job.automaton.done(states[i]):
                ids = job.prompt + job.tokens
                allowed = job.automaton.allowed(states[i])
                asked.append(
                    (
                        i,
                        Query(
                            ids,
                            [len(ids) - 1],
                            [allowed],
                            depths=copy_depths(job, history[i]),
                        ),
                    )
                )
        for (i, query), logits in zip(
            asked, lm.candidate_logits([q for _, q in asked]), strict=True
        ):
            allowed = query.candidates[0]
            decisions[i].append(Decision(states[i], allowed, logits[0]))
            text, automaton = jobs[i].unit.text, jobs[i].automaton
            best = choose(text, automaton, states[i], allowed, logits[0], sampling)
            _advance(jobs[i], states, history, i, allowed[best])
        live = [i for i, _ in asked]
    for i, job in enumerate(jobs):
        finish(job, history[i], decisions[i])


def _advance(
    job: Job, states: list[Any], history: list[list[Any]], i: int, token: int
) -> None:
    history[i].append(states[i])
    job.tokens.append(token)
    states[i] = job.automaton.step(states[i], token)


def marked_text(job: Job, marker: str = "##") -> str:
    """The unit's text with markers at the borders of the job's mentions."""
    text, at, out = job.unit.text, 0, ""
    for m in job.mentions:
        out += text[at : m.start] + marker + text[m.start : m.end] + marker
        at = m.end
    return out + text[at:]


def written_segments(
    lm: Any, tokens: Iterable[int], marker: int, end: int, sizes: Sequence[int]
) -> list[str]:
    """What a marked copy says once the markers are taken out, segment by segment.
    sizes: tokens of each segment.
    """
    rest = [t for t in tokens if t not in (marker, end)]
    table, names = lm.token_bytes(), {lm.token_id(m): m for m in CASE_MARKS.values()}
    out = []
    for n in sizes:
        part, rest = rest[:n], rest[n:]
        case = names.get(part[0]) if part else None
        data = b"".join(table[t] or b"" for t in (part[1:] if case else part))
        out.append(join_case(case, data.decode("utf8")))
    assert not rest
    return out


def written_bytes(lm: Any, tokens: Iterable[int]) -> bytes:
    table = lm.token_bytes()
    return b"".join(table[t] or b"" for t in tokens)


# -- A model that follows a script ---------------------------------------------------

_SPECIAL = ("<pad>", "<s>", "<sep>", "</s>", "<mark>", "<type>")


@dataclass
class ScriptedLM:
    """Knows which strings are mentions and what their types are; writes bytes.

    Follows `ty.CausalLM`.

    names (Mapping): mention -> label path; every occurrence is a mention.
    margin (float): Logit of the right token; all others have 0.
    fail_on (str): Texts that hold this raise an error.
    """

    names: Mapping[str, Sequence[str]]
    margin: float = 8.0
    fail_on: str = ""
    name: str = "scripted"
    max_length: int = 1 << 20
    calls: int = 0
    seen: list[str] = field(default_factory=list)

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        return list(text.encode("utf8"))

    def token_id(self, token: str) -> int:
        return 256 + _SPECIAL.index(token)

    def token_bytes(self) -> list[bytes | None]:
        return [*(bytes([i]) for i in range(256)), *(None for _ in _SPECIAL)]

    @contextlib.contextmanager
    def adapter(self, name: str | None) -> Iterator[None]:
        yield

    prefixes = None

    def cache_pool(self, tokens: int) -> None:
        return None

    def fingerprint(self) -> str:
        return "scripted"

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        self.calls += 1
        out = []
        for q in queries:
            width = max((len(c) for c in q.candidates), default=0)
            table = np.full((len(q.positions), width), -np.inf, dtype=np.float32)
            for row, (position, candidates) in enumerate(
                zip(q.positions, q.candidates, strict=True)
            ):
                nodes = (
                    range(position + 1)
                    if q.parents is None
                    else path_to(q.parents, position)
                )
                right = self._right([q.ids[n] for n in nodes])
                table[row, : len(candidates)] = [
                    self.margin if c == right else 0.0 for c in candidates
                ]
            out.append(table)
        return out

    def _right(self, ids: list[int]) -> int:
        sep, mark, ask = (self.token_id(t) for t in ("<sep>", "<mark>", "<type>"))
        at = ids.index(sep)
        text = self._text(ids[1:at])
        if self.fail_on and self.fail_on in text:
            raise RuntimeError(f"scripted failure on {text!r}")
        behind = ids[at + 1 :]
        if ask in behind:
            k = behind.index(ask)
            return self._type(text, behind[:k], behind[k + 1 :])
        copied = self._text([t for t in behind if t != mark])
        if text not in self.seen:
            self.seen.append(text)
        inside, rest = behind.count(mark) % 2 == 1, text[len(copied) :]
        start = len(copied) + len(rest) - len(rest.lstrip())
        found = self.mentions(text)
        right = (
            len(copied) in {e for _, e in found}
            if inside
            else start in {s for s, _ in found}
        )
        return (
            mark
            if right and behind[-1:] != [mark]
            else (rest.encode("utf8") + b"\0")[0]
        )

    def _type(self, text: str, copy: list[int], answer: list[int]) -> int:
        sep, mark = self.token_id("<sep>"), self.token_id("<mark>")
        borders = [i for i, t in enumerate(copy) if t == mark]
        mention = self._text(copy[borders[-2] + 1 : borders[-1]]).strip()
        done = [i for i, t in enumerate(answer) if t == sep]
        path = self.names.get(mention, ())
        begun = bytes(answer[(done[-1] + 1) if done else 0 :])
        if len(done) >= len(path):
            return -1
        goal = f" {path[len(done)]}".encode()
        if not goal.startswith(begun):
            return -1
        return goal[len(begun)] if len(begun) < len(goal) else sep

    def _text(self, ids: Iterable[int]) -> str:
        return bytes(i for i in ids if i < 256).decode("utf8", "ignore")

    def mentions(self, text: str) -> list[tuple[int, int]]:
        if not self.names:
            return []
        pattern = "|".join(
            re.escape(n) for n in sorted(self.names, key=len, reverse=True)
        )
        return [m.span() for m in re.finditer(pattern, text)]


@dataclass(frozen=True)
class ScriptedSpec:
    """Registered as `tests.Scripted.v1`; the same object every time, so that stages share it."""

    lm: Any
    name: str = "scripted"

    def load(self, path: Any = None, *, private: bool = False) -> Any:
        return self.lm


_scripts: dict[str, ScriptedLM] = {}


@causal_lms("tests.Scripted.v1")
def scripted_spec(key: str) -> ScriptedSpec:
    return ScriptedSpec(_scripts[key])


def scripted(
    names: Mapping[str, Sequence[str]],
    labels: Sequence[str] = LABELS,
    *,
    extractor: Mapping[str, Any] | None = None,
    classifier: Mapping[str, Any] | None = None,
    stages: Sequence[str] = ("extractor", "classifier"),
    **options: Any,
) -> tuple[Language, ScriptedLM]:
    """A pipeline whose model knows these mentions and types."""
    lm = ScriptedLM(names, **options)
    key = f"script{len(_scripts)}"
    _scripts[key] = lm
    model = {"@causal_lms": "tests.Scripted.v1", "key": key}
    nlp = blank()
    if "extractor" in stages:
        nlp.add_pipe("cascade_extractor", config={"model": model, **(extractor or {})})
    if "classifier" in stages:
        nlp.add_pipe(
            "cascade_classifier",
            config={
                "model": model,
                "taxonomy": labels_config(labels),
                **(classifier or {}),
            },
        )
    return nlp, lm


def steps(call: Callable[[], Any]) -> int:
    """Python and built-in functions that a call enters: a measure of its work that no
    clock disturbs.
    """
    counts: Counter[str] = Counter()

    def count(frame: Any, event: str, arg: Any) -> None:
        counts[event] += 1

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return counts["call"] + counts["c_call"]
