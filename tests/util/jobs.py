"""Jobs of copies, decoded all together, and what was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.decoding.copy import GREEDY, Job, Sampling
from spacy_cascade.decoding.jobs import Decision, copy_depths, finish
from spacy_cascade.decoding.native import NativeAutomaton, Vocabulary
from spacy_cascade.decoding.sampling import choose
from spacy_cascade.models.encoding import CASE_MARKS, join_case
from spacy_cascade.prompts.compact import CompactExtract
from spacy_cascade.types import Query, Unit


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
