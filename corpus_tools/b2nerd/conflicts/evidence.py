"""What speaks for a conflict: one record per pair of data sets, label and way of disagreeing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

WRONG_CATEGORY = "wrong category"
NOT_EXTRACTED = "not extracted"
PARTIALLY_EXTRACTED = "partially extracted"

STRINGS, EDGES, TAGGER, LABELS = "strings", "edges", "tagger", "labels"
NOMINAL, NAME = "nominal", "name"
CASED = 0.05  # share of mentions with a capital letter
Z = 1.96


@dataclass
class Evidence:
    """Mentions that data set `a` annotates as `label` and data set `b` otherwise.

    source (str): "strings" (the same string in both), "edges" (the same first or last
        word), "tagger" (predictions of a tagger trained on `a`), "labels" (the label
        inventories alone).
    kind (str): One of the three classes. other (str): The label in `b`, '' if none.
    form (str): Of unmarked mentions: "nominal" (no capital letter), "name", or '' in
        scripts without case. Of partial ones: the word that is left out.
    comparable (bool): `b` has a label that by its name could hold the mentions.
    n (int): Occurrences in `b`. checked (int): Those looked at, the agreeing ones
        included; for unmarked mentions, those of the same form.
    own_rate (float): Share of the occurrences of these strings that `a` itself does not
        annotate so: its noise.
    strings (Counter[str]): Mention strings. examples (list[str]): Snippets of `b`, the
        mention in brackets.
    """

    source: str
    a: str
    b: str
    label: str
    kind: str
    other: str = ""
    form: str = ""
    comparable: bool = True
    n: int = 0
    checked: int = 0
    own_rate: float = 0.0
    strings: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def to_dict(self, *, top: int = 10) -> dict[str, Any]:
        """JSON-serializable, with the most frequent strings only."""
        return {
            **vars(self),
            "strings": dict(self.strings.most_common(top)),
            "rate": self.rate,
        }

    @property
    def rate(self) -> float:
        """Of the occurrences looked at."""
        return self.n / self.checked if self.checked else 0.0


def form_of(string: str, *, cased: bool = True) -> str:
    """ "nominal" for words in lower case, "name" for others, '' for scripts and data
    sets without case.
    """
    if not cased or string.lower() == string.upper():
        return ""
    return NOMINAL if string == string.lower() else NAME


def is_cased(strings: Iterable[str]) -> bool:
    """Whether capital letters mean anything: some data sets are all in lower case."""
    seen = [string != string.lower() for string in strings]
    return sum(seen) > CASED * len(seen)


def strength(n: int, checked: int, expected: float = 0.0) -> float:
    """How sure and how big a disagreement is: the lower bound of its rate, less the
    expected rate, times log10(1 + n).
    """
    return max(0.0, wilson(n, checked) - expected) * math.log10(1 + n)


def wilson(n: int, checked: int) -> float:
    """Lower bound of Wilson's 95 % interval of the rate n / checked; 0 for 0 / 0."""
    if not n:
        return 0.0
    p = n / checked
    centre = p + Z * Z / (2 * checked)
    spread = Z * math.sqrt(p * (1 - p) / checked + Z * Z / (4 * checked * checked))
    return (centre - spread) / (1 + Z * Z / checked)
