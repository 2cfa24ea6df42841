"""A language model that follows a script."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from spacy.language import Language

from spacy_cascade.decoding.tree import path_to
from spacy_cascade.registry import causal_lms
from spacy_cascade.types import Query

from .pipelines import blank, labels_config
from .texts import LABELS

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
