"""The naming principles of a universal taxonomy as rules (B2NERD, arXiv 2406.11192,
section 3.2): readable, unambiguous, hierarchical ('parent -> child', '-> others'),
flexible ('person or group').
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from spacy_cascade.doc.words import words_only
from spacy_cascade.taxonomy import Taxonomy, parse_path

from .labelmap import OTHERS, arrow_path

MAX_WORDS = 8
MAX_CHARACTERS = 56
MAX_LEVELS = 4
# Short forms that have a vowel and no upper case, so that nothing but a list tells them from words.
ACRONYMS = re.compile(
    r"abbr|addr|ai|atc|chem|dept|det|div|dna|doc|edu|ent|eval|evt|fac|gpe|id|info|ip|"
    r"iupac|loc|lang|meas|med|misc|ml|mny|num|nom|nam|norp|ner|org|orig|pat|per|pers|"
    r"poi|pos|prod|prop|qty|quant|ref|rel|rna|spec|sw|temp|tim|tv|univ|uri|url|veh|wea"
)
VAGUE = re.compile(
    r"abstract|concept|data|element|entity|group|item|label|material|mention|misc|"
    r"miscellaneous|name|object|other|property|"
    r"tag|term|thing|type|unit|unknown|value|work"
)
_REST = re.compile(r"(other|misc|miscellaneous|unspecified|unknown) (?!name\b)")


@dataclass(frozen=True)
class Problem:
    """rule (str): Its name. name (str): The label. why (str): What is wrong and what to
    write instead.
    """

    rule: str
    name: str
    why: str


def _readable(name: str) -> Iterator[str]:
    if re.search(r"[a-z][A-Z]", name):
        yield "camel case: write separate words"
    if re.search(r"[_.#@|\\]|\d", name):
        yield "underscores, digits or other signs of a raw tag: write words"
    if re.search(r"[(){}\[\],;:\"]", name):
        yield "brackets or separators, which end a name in a label list: write words"
    if name != name.lower():
        yield "upper case: write lower case"
    if name != " ".join(name.split()):
        yield "spaces at an end or doubled"
    if re.search(r"[^\W\da-zA-Z]", name):
        yield (
            "letters other than a to z: write English; names in other languages belong under"
            " 'names'"
        )


def _no_acronym(name: str) -> Iterator[str]:
    for word in re.findall("[A-Za-z]+", name):
        consonants = len(word) > 1 and not re.search(r"[aeiouy]", word.lower())
        if (
            (len(word) > 1 and word.isupper())
            or consonants
            or ACRONYMS.fullmatch(word.lower())
        ):
            yield f"'{word}' is an acronym or short form: write it out"


def _flexible(name: str) -> Iterator[str]:
    if re.search(r"[/&+]|\band\b", name):
        yield "join alternatives by 'or'"


def _unambiguous(name: str) -> Iterator[str]:
    if VAGUE.fullmatch(name.lower()):
        yield "says nothing by itself: name the things it stands for"
    elif match := _REST.match(name.lower()):
        yield f"'{match[1]} x' is the rest of x: write 'x -> others'"


def _length(name: str) -> Iterator[str]:
    words = len(name.split())
    if words > MAX_WORDS or len(name) > MAX_CHARACTERS:
        yield (
            f"{words} words, {len(name)} characters: at most {MAX_WORDS} words and"
            f" {MAX_CHARACTERS} characters"
        )
    if len(name) < 3:
        yield "too short to be understood"


RULES: dict[str, Callable[[str], Iterator[str]]] = {
    "readable": _readable,
    "no acronym": _no_acronym,
    "flexible": _flexible,
    "unambiguous": _unambiguous,
    "length": _length,
}


def lint_name(name: str) -> list[Problem]:
    """Checks one name or path 'parent -> child'."""
    parts = parse_path(name)
    problems = []
    if not parts:
        return [Problem("readable", name, "empty")]
    for i, part in enumerate(parts):
        found = ((rule, why) for rule, check in RULES.items() for why in check(part))
        problems += [
            Problem(rule, name, f"'{part}': {why}" if len(parts) > 1 else why)
            for rule, why in found
        ]
        if part.lower() == OTHERS and (i == 0 or i < len(parts) - 1):
            problems.append(
                Problem(
                    "hierarchical",
                    name,
                    "'others' needs a parent and has no children: 'parent -> others'",
                )
            )
    if len(parts) > MAX_LEVELS:
        problems.append(
            Problem("hierarchical", name, f"{len(parts)} levels: at most {MAX_LEVELS}")
        )
    if len(set(parts)) < len(parts):
        problems.append(Problem("hierarchical", name, "a type below itself"))
    return problems


def lint_names(names: Iterable[str]) -> list[Problem]:
    """Checks names one by one and against each other: no two may differ only in case,
    number, spelling or order.
    """
    names = list(dict.fromkeys(names))
    problems = [p for name in names for p in lint_name(name)]
    first: dict[str, str] = {}
    for name in names:
        twin = first.setdefault(skeleton(name), name)
        if twin != name:
            problems.append(
                Problem(
                    "duplicate",
                    name,
                    f"differs from '{twin}' only in case, number, spelling or order",
                )
            )
    return problems


def lint_taxonomy(taxonomy: Taxonomy) -> list[Problem]:
    """Checks all names of a taxonomy, that no name stands on two branches, and that all
    have a definition of their own.
    """
    problems = lint_names(arrow_path(path) for path in taxonomy)
    owner: dict[str, str] = {}
    for path in taxonomy:
        name = arrow_path(path)
        if path[-1] != OTHERS:
            twin = owner.setdefault(skeleton(path[-1]), name)
            if twin != name and skeleton(twin) != skeleton(name):
                problems.append(
                    Problem("unambiguous", name, f"its last part also ends '{twin}'")
                )
        definition = taxonomy.description(path).strip()
        if not definition or skeleton(definition) == skeleton(path[-1]):
            problems.append(
                Problem(
                    "defined", name, "has no definition that says more than its name"
                )
            )
    for language, table in taxonomy.names.items():
        seen: dict[str, str] = {}
        for path_string, local in table.items():
            if taxonomy.find(parse_path(path_string)) is None:
                problems.append(
                    Problem(
                        "names",
                        path_string,
                        f"has the name '{local}' ({language}), but is no type",
                    )
                )
            if seen.setdefault(local, path_string) != path_string:
                problems.append(
                    Problem(
                        "names",
                        path_string,
                        f"'{local}' ({language}) is also '{seen[local]}'",
                    )
                )
    return problems


_SPELLINGS = (
    (r"(?<=[a-z]{2})is(ation|ing|ed|er)", r"iz\1"),
    (r"(?<=[a-z]{3})our\b", "or"),
    (r"(?<=[a-z]{3})re\b", "er"),
    (r"ogue\b", "og"),
    (r"programme", "program"),
    (r"cence\b", "cense"),
    (r"fence\b", "fense"),
    (r"(\w)ll(ing|ed|er)\b", r"\1l\2"),
    (r"ae(?=[a-z])", "e"),
)
_PLURALS = (
    (r"(?<=[a-z]{2})(ies|ie|y)\b", "i"),
    (r"(?<=[a-z]{2})(es|(?<![sui])s|e)\b", ""),
)


def skeleton(name: str) -> str:
    """What is left of a name without case, number, British spelling, hyphens and the
    order of alternatives; only good for comparing.
    """
    parts = []
    for part in parse_path(name.lower()):
        for pattern, to in (*_SPELLINGS, *_PLURALS):
            part = re.sub(pattern, to, part)
        alternatives = sorted(
            words_only(a).replace(" ", "") for a in part.split(" or ")
        )
        parts.append("|".join(alternatives))
    return ">".join(parts)
