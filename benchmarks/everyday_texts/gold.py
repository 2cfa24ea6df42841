"""Lists of labels, and which of them a mention has.

A text's gold mentions are those that one of its labels fits, and each has the finest that
does. Lists under which annotators would not agree are not given to a text.
"""

from __future__ import annotations

import random

from benchmarks.everyday_texts.data import LABELS

Types = set[str]

MAX_LABELS = 9
# Lists are drawn until one is clear; coarse ones only at first.
ATTEMPTS = 400
COARSE_ATTEMPTS = 60
SIX = ["person", "organization", "location", "product", "work", "event"]
THREE = SIX[:3]
# Of the usual coarse concepts: the first name, any of the names, a code, a capital letter.
PLAIN_STYLES = {"first": 60, "synonym": 25, "code": 10, "title": 5}
# "misc" only stands beside the plain person, organization and location.
MISC = "misc"


def concept_of(type_: str, concepts: list[str]) -> str | None:
    """RETURNS (Optional[str]): The finest of the concepts that fits the type."""
    chain = LABELS["chains"][type_]
    return next((concept for concept in chain if concept in concepts), None)


def is_clear(types: Types, concepts: list[str]) -> bool:
    """Whether annotators would agree on the gold of a text with these types."""
    return all(_clear_for(type_, concepts) for type_ in types)


def _clear_for(type_: str, concepts: list[str]) -> bool:
    concept = concept_of(type_, concepts)
    finest = LABELS["chains"][type_][0]
    unclear = LABELS["unclear"].get(type_, [])
    doubtful = not set(concepts).isdisjoint(unclear)
    # A brand is often a product's or a company's name, whatever else is asked for.
    if doubtful and (concept != finest or type_ == "brand"):
        return False
    unclear_alone = LABELS["unclear_alone"].get(type_, [])
    return concept is not None or set(concepts).isdisjoint(unclear_alone)


def choose_labels(
    types: Types,
    plain: bool,
    rng: random.Random,
) -> dict[str, str]:
    """A list under which the text's gold is clear, in random order.

    types (Set[str]): Types of the text's mentions.
    plain (bool): Take one of the usual coarse lists, if one is clear.
    RETURNS (Dict[str, str]): The label of each concept.
    RAISES ValueError: If no list is clear.
    """
    for attempt in range(ATTEMPTS):
        coarse = plain and attempt < COARSE_ATTEMPTS
        concepts = _plain_list(rng) if coarse else _fine_list(types, rng)
        if is_clear(types, concepts):
            concepts = rng.sample(concepts, len(concepts))
            return _spell(concepts, coarse, rng)
    raise ValueError(f"No list of labels is clear for {sorted(types)}.")


def _plain_list(rng: random.Random) -> list[str]:
    """The usual coarse concepts, or some of them."""
    chance = rng.random()
    if chance < 0.5:
        return SIX
    if chance < 0.65:
        return THREE
    if chance < 0.8:
        return [*THREE, MISC]
    if chance < 0.87:
        fourth = rng.choice(["event", "product", "work", "gpe"])
        return [*THREE, fourth]
    size = rng.randint(1, 5)
    return rng.sample(SIX, size)


def _fine_list(types: Types, rng: random.Random) -> list[str]:
    """Concepts of which some fit the text."""
    concepts: list[str] = []
    for type_ in sorted(types):
        chain = [concept for concept in LABELS["chains"][type_] if concept != MISC]
        if rng.random() < 0.8:
            finest = rng.random() < 0.65
            concept = chain[0] if finest else rng.choice(chain)
            concepts.append(concept)
    rng.shuffle(concepts)

    least = rng.randint(1, MAX_LABELS)
    size = min(max(len(concepts), least), MAX_LABELS)
    others = [concept for concept in LABELS["names"] if concept != MISC]
    # The plain ones are in many lists.
    others += THREE * 3
    while len(set(concepts)) < size:
        other = rng.choice(others)
        concepts.append(other)
    unique = list(dict.fromkeys(concepts))
    return unique[:MAX_LABELS]


def _spell(
    concepts: list[str],
    plain: bool,
    rng: random.Random,
) -> dict[str, str]:
    """A label for each concept, in one style."""
    if plain:
        styles = list(PLAIN_STYLES)
        weights = list(PLAIN_STYLES.values())
        style = rng.choices(styles, weights)[0]
    else:
        style = rng.choice(["synonym", "synonym", "first"])

    codes = LABELS["codes"]
    if style == "code" and all(concept in codes for concept in concepts):
        return {concept: rng.choice(codes[concept]) for concept in concepts}
    labels = {}
    for concept in concepts:
        names = LABELS["names"][concept]
        label = rng.choice(names) if style == "synonym" else names[0]
        labels[concept] = label.capitalize() if style == "title" else label
    return labels
