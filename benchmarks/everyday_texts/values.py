"""Numbers, dates, identifiers and the like: slots that are never mentions."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass

WEEKDAYS = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
TAG_WORDS = [
    "running",
    "books",
    "coffee",
    "travel",
    "fail",
    "nofilter",
    "rain",
    "weekend",
    "music",
    "worldcup",
    "diy",
    "garden",
]
HANDLE_WORDS = [
    "night",
    "owl",
    "paper",
    "kite",
    "tea",
    "moss",
    "pixel",
    "cloud",
    "fern",
    "biker",
    "lemon",
    "otter",
    "ink",
]
FILES = [
    "main.py",
    "config.yaml",
    "deploy.log",
    "report_final.pdf",
    "utils/io.c",
    "index.html",
]
MAIL_HOSTS = ["example.com", "mail.example.org"]
WEB_HOSTS = ["ex.am/", "t.example/", "www.example.com/"]


@dataclass
class Drawn:
    """What several kinds of values are put together from.

    rng (random.Random): Source of randomness.
    """

    rng: random.Random

    def __post_init__(self) -> None:
        rng = self.rng
        self.digits = "".join(rng.choices(string.digits, k=22))
        self.day = rng.randint(1, 28)
        self.month = rng.randint(1, 12)
        self.year = rng.randint(1950, 2025)
        self.money = f"{rng.randint(2, 990)}.{rng.randint(0, 99):02}"
        hour = rng.randint(7, 22)
        minutes = rng.choice(["00", "15", "30", "45", "10"])
        self.clock = f"{hour}:{minutes}"
        self.word = rng.choice(HANDLE_WORDS) + rng.choice(HANDLE_WORDS)


def _date(of: Drawn) -> str:
    month = MONTHS[of.month - 1]
    forms = [
        f"{of.day} {month} {of.year}",
        f"{month} {of.day}, {of.year}",
        f"{of.year}-{of.month:02}-{of.day:02}",
        f"{of.day:02}/{of.month:02}/{of.year}",
        f"{of.day}.{of.month}.{of.year}",
    ]
    return of.rng.choice(forms)


def _amount(of: Drawn) -> str:
    currency = of.rng.choice("$€£")
    forms = [f"{of.day} million", f"{of.day}bn", f"{of.day},500"]
    return currency + of.rng.choice(forms)


def _price(of: Drawn) -> str:
    forms = [
        f"€{of.money}",
        f"{of.money} EUR",
        f"${of.money}",
        f"£{of.money}",
        of.money,
    ]
    return of.rng.choice(forms)


def _percent(of: Drawn) -> str:
    forms = [
        f"{of.day}%",
        f"{of.day}.{of.month % 10} %",
        f"{of.day} per cent",
    ]
    return of.rng.choice(forms)


def _score(of: Drawn) -> str:
    home = of.rng.randint(0, 5)
    dash = of.rng.choice("–-")
    away = of.rng.randint(0, 4)
    return f"{home}{dash}{away}"


def _iban(of: Drawn) -> str:
    country = of.rng.choice(["DE", "FR", "GB", "NL"])
    return country + of.digits[:20]


def _vat(of: Drawn) -> str:
    country = of.rng.choice(["DE", "GB", "ATU", "IT"])
    return country + of.digits[:9]


def _phone(of: Drawn) -> str:
    digits = of.digits
    forms = [
        f"+44 20 {digits[:4]} {digits[4:8]}",
        f"0{digits[:3]}/{digits[3:9]}",
    ]
    return of.rng.choice(forms)


def _id(of: Drawn) -> str:
    letters = of.word[:2].upper()
    forms = [
        of.digits[:7],
        f"{letters}-{of.digits[:5]}",
        f"{of.digits[:4]}/{of.day}",
    ]
    return of.rng.choice(forms)


def _email(of: Drawn) -> str:
    host = of.rng.choice(MAIL_HOSTS)
    return f"{of.word}@{host}"


def _url(of: Drawn) -> str:
    host = of.rng.choice(WEB_HOSTS)
    return f"https://{host}{of.word}"


def _handle(of: Drawn) -> str:
    end = of.rng.choice(["", "_", of.digits[:2]])
    return f"@{of.word}{end}"


def _version(of: Drawn) -> str:
    major = of.rng.randint(1, 14)
    minor = of.rng.randint(0, 9)
    patch = of.rng.choice(["", f".{of.day}"])
    return f"{major}.{minor}{patch}"


MAKERS: dict[str, Callable[[Drawn], str]] = {
    "n": lambda of: str(of.rng.randint(2, 60)),
    "nn": lambda of: str(of.rng.randint(101, 9900)),
    "d": lambda of: str(of.rng.randint(1, 9)),
    "age": lambda of: str(of.rng.randint(21, 93)),
    "year": lambda of: str(of.year),
    "month": lambda of: MONTHS[of.month - 1],
    "weekday": lambda of: of.rng.choice(WEEKDAYS),
    "time": lambda of: of.clock,
    "date": _date,
    "amount": _amount,
    "euro": _price,
    "percent": _percent,
    "temp": lambda of: f"{of.day} °C",
    "score": _score,
    "iban": _iban,
    "vat": _vat,
    "phone": _phone,
    "id": _id,
    "email": _email,
    "url": _url,
    "handle": _handle,
    "tag": lambda of: "#" + of.rng.choice(TAG_WORDS),
    "file": lambda of: of.rng.choice(FILES),
    "version": _version,
}


def value(kind: str, rng: random.Random) -> str | None:
    """A value of a kind.

    RETURNS (Optional[str]): None if the kind is a slot of names.
    """
    drawn = Drawn(rng)
    if kind not in MAKERS:
        return None
    return MAKERS[kind](drawn)
