"""What the texts are made from: templates, names, and the labels that they can have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def _load(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    content = path.read_text("utf8")
    data: dict[str, Any] = json.loads(content)
    return data


# Kind of text -> templates.
TEMPLATES: dict[str, list[str]] = _load("templates")
# `fillers`: slot -> names. `invented`: parts of companies, streets and addresses.
NAMES = _load("fillers")
# `locales`: how often a locale of Faker is taken. `extra_names`: people of further places.
# `no_given_names`, `no_surnames`: names that are other things, too.
PEOPLE = _load("people")
# `type_of`: slots that are not called as their type. `groups`: slots that stand for several.
# `chains`: type -> concepts that it belongs to, the finest first. `unclear`: type -> concepts
# of which annotators would not agree whether they fit. `unclear_alone`: the same, but only
# where none of the chain is asked for. `names`: concept -> labels. `codes`: short labels.
LABELS = _load("labels")
