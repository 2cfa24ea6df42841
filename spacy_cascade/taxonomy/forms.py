"""The forms in which type trees are given: lists, nested and flat dicts, and files of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import srsly

from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from .names import SEP, correct_name, parse_path


def nest_labels(labels: Iterable[str]) -> dict[str, Any]:
    """The tree of a plain list; 'parent->child' and 'parent > child' entries make
    deeper levels. Entries that are the same, letter by letter, collapse.

    RAISES CascadeError: C006 for a name that can't be used.
    """
    tree: dict[str, Any] = {}
    for label in labels:
        if not isinstance(label, str) or not parse_path(label):
            raise CascadeError(Errors.C006.format(name=label, sep=SEP.strip()))
        node = tree
        parts = parse_path(label)
        # white space around a name belongs to its spelling; in a path it belongs to the separators
        for part in (label,) if parts == (label.strip(),) else parts:
            node = node.setdefault(correct_name(part), {})
    return tree


def nest_flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of DynamicNER's flat JSON: levels as comma-separated strings keyed by
    their parent's name.
    """

    def split(text: str) -> list[str]:
        return [t.strip() for t in text.split(",") if t.strip()]

    second, third = data.get("second-level", {}), data.get("third-level", {})
    return {
        coarse: {
            medium: split(third.get(medium, ""))
            for medium in split(second.get(coarse, ""))
        }
        for coarse in split(data["first-level"])
    }


def read_form(data: Any, *, source: str, name: str) -> dict[str, Any]:
    """Arguments of `Taxonomy` from any of the known forms.

    source (str): What messages call the data. name (str): Of the taxonomy, where the
        data have none.
    RAISES CascadeError: C004 if the form is unknown.
    """
    if isinstance(data, Mapping) and "first-level" in data:
        return {"tree": nest_flat(data), "name": str(data.get("dataset") or name)}
    if isinstance(data, Mapping) and isinstance(data.get("tree"), (Mapping, list)):
        more = {
            k: data[k]
            for k in ("levels", "descriptions", "aliases", "names")
            if data.get(k)
        }
        return {"tree": data["tree"], "name": data.get("name", name), **more}
    if isinstance(data, Mapping):
        # labels.json of a B2NERD-style data set: raw label -> natural name
        is_labels = data and all(isinstance(v, str) for v in data.values())
        return {"tree": nest_labels(data.values()) if is_labels else data, "name": name}
    if isinstance(data, (list, tuple)):
        return {"tree": nest_labels(data), "name": name}
    raise CascadeError(
        Errors.C004.format(source=source, why=f"found {type(data).__name__}")
    )


def read_file(path: Path) -> Any:
    """What a file of JSON, YAML or plain text (one label per line) holds.

    RAISES CascadeFileNotFoundError, CascadeError: C004.
    """
    if not path.is_file():
        raise CascadeFileNotFoundError(
            Errors.C004.format(source=f"'{path}'", why="there is no such file")
        )
    try:
        if path.suffix == ".json":
            return srsly.read_json(path)
        if path.suffix in (".yml", ".yaml"):
            return srsly.read_yaml(path)
        return [
            line.strip() for line in path.read_text("utf8").splitlines() if line.strip()
        ]
    except (ValueError, UnicodeDecodeError) as err:
        raise CascadeError(Errors.C004.format(source=f"'{path}'", why=err)) from err
