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
SIX = [
    "person",
    "organization",
    "location",
    "product",
    "work",
    "event",
]
THREE = SIX[:3]
# Of the usual coarse concepts: the first name, any of the names, a code, a capital letter.
PLAIN_STYLES = {
    "first": 60,
    "synonym": 25,
    "code": 10,
    "title": 5,
}
# "misc" only stands beside the plain person, organization and location.
MISC = "misc"


def concept_of(type_: str, concepts: list[str]) -> str | None:
    """RETURNS (Optional[str]): The finest of the concepts that fits the type."""
    for concept in LABELS["chains"][type_]:
        if concept in concepts:
            return str(concept)
    return None


def is_clear(types: Types, concepts: list[str]) -> bool:
    """Whether annotators would agree on the gold of a text with these types."""
    return all(_clear_for(type_, concepts) for type_ in types)


def _clear_for(type_: str, concepts: list[str]) -> bool:
    asked = set(concepts)
    chain = LABELS["chains"][type_]
    finest = chain[0]
    concept = concept_of(type_, concepts)

    unclear = LABELS["unclear"].get(type_, [])
    if not asked.isdisjoint(unclear):
        # A brand is often a product's or a company's name, whatever else is asked for.
        if type_ == "brand":
            return False
        if concept != finest:
            return False

    if concept is not None:
        return True
    unclear_alone = LABELS["unclear_alone"].get(type_, [])
    return asked.isdisjoint(unclear_alone)


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
        if coarse:
            concepts = _plain_list(rng)
        else:
            concepts = _fine_list(types, rng)
        if is_clear(types, concepts):
            size = len(concepts)
            concepts = rng.sample(concepts, size)
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


def _fine_list(
    types: Types,
    rng: random.Random,
) -> list[str]:
    """Concepts of which some fit the text."""
    concepts: list[str] = []
    for type_ in sorted(types):
        if rng.random() >= 0.8:
            continue
        chain = LABELS["chains"][type_]
        chain = [concept for concept in chain if concept != MISC]
        if rng.random() < 0.65:
            concept = chain[0]
        else:
            concept = rng.choice(chain)
        concepts.append(concept)
    rng.shuffle(concepts)

    least = rng.randint(1, MAX_LABELS)
    size = max(len(concepts), least)
    size = min(size, MAX_LABELS)
    others = list(LABELS["names"])
    others.remove(MISC)
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

    names = LABELS["names"]
    if style == "code" and set(concepts) <= set(LABELS["codes"]):
        names = LABELS["codes"]
    labels = {}
    for concept in concepts:
        known = names[concept]
        label = known[0]
        if style == "synonym" or names is LABELS["codes"]:
            label = rng.choice(known)
        if style == "title":
            label = label.capitalize()
        labels[concept] = label
    return labels
