"""The synonym table: for every type its name in a language and other names that mean the same.

`data/synonyms/<lang>.json`: `{"coarse -> medium -> fine": ["name in that language",
"synonym", ...]}`, also for coarse ("person") and medium ("person -> real person")
types.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import srsly

from spacy_cascade.taxonomy import Taxonomy, TypePath, normalize_name, parse_path
from spacy_cascade.taxonomy.names import normalize_path

from ..errors import CorpusError, Errors

FOLDER = Path(__file__).parent.parent / "data" / "synonyms"
# In a question the list ends with "?", and ", " stands between its types.
FORBIDDEN = (",", "?", ">", "##", "\n")
Table = dict[TypePath, tuple[str, ...]]


def languages() -> list[str]:
    """The languages that have a table."""
    return sorted(p.stem for p in FOLDER.glob("*.json"))


def load(lang: str, *, taxonomy: Taxonomy) -> Table:
    """Reads and checks a table.

    lang (str): Language code, or the path of a JSON file.
    taxonomy (Taxonomy): Types that it does not have are left out of the table.

    RETURNS (Table): Names in that language and synonyms by path; a type's own name is left out.
    RAISES CorpusError: T031 if it can't be read, T032 if a name is unusable or names two types.
    """
    path = Path(lang) if lang.endswith(".json") else FOLDER / f"{lang}.json"
    known = ", ".join(languages()) or "none"
    if not path.is_file():
        raise CorpusError(
            Errors.T031.format(name=lang, why="there is no such file", known=known)
        )
    try:
        data = srsly.read_json(path)
    except ValueError as err:
        raise CorpusError(Errors.T031.format(name=lang, why=err, known=known)) from err
    if not isinstance(data, Mapping) or not all(
        isinstance(v, list) for v in data.values()
    ):
        why = 'it is no object {"type": ["name", "synonym", ...]}'
        raise CorpusError(Errors.T031.format(name=lang, why=why, known=known))
    paths = ((parse_path(key), tuple(names)) for key, names in data.items())
    table = {taxonomy.find(key) or normalize_path(key): names for key, names in paths}
    check(table, taxonomy=taxonomy, source=str(path.name))
    return {
        key: tuple(
            dict.fromkeys(
                n for n in names if normalize_name(n) != normalize_name(key[-1])
            )
        )
        for key, names in table.items()
        if key in taxonomy
    }


def check(
    table: Mapping[TypePath, tuple[str, ...]],
    *,
    taxonomy: Taxonomy,
    source: str = "table",
) -> None:
    """A synonym is the name or synonym of no other type, else a list could hold one
    string for two types. Only types that share their English name (in DynamicNER
    "address" and "miscellaneous" on several levels) may share its translation.

    RAISES CorpusError: T032, with the first problem.
    """
    owner: dict[str, TypePath] = {}
    for path in taxonomy:
        owner.setdefault(normalize_name(path[-1]), path)
    for path, names in table.items():
        for i, name in enumerate(names):
            if (
                not isinstance(name, str)
                or not name.strip()
                or name != name.strip()
                or any(c in name for c in FORBIDDEN)
            ):
                why = (
                    "must be a non-empty string without surrounding space and without any of"
                    f" {' '.join(map(repr, FORBIDDEN))}"
                )
                raise CorpusError(
                    Errors.T032.format(
                        source=source, name=name, path=_show(path), why=why
                    )
                )
            first = owner.setdefault(normalize_name(name), path)
            own = i == 0 or normalize_name(name) == normalize_name(
                path[-1]
            )  # the first entry is the name, not a synonym
            same = first == path or (
                own and normalize_name(first[-1]) == normalize_name(path[-1])
            )
            if not same:
                why = f"also names '{_show(first)}'"
                raise CorpusError(
                    Errors.T032.format(
                        source=source, name=name, path=_show(path), why=why
                    )
                )


def _show(path: TypePath) -> str:
    return " -> ".join(path)
