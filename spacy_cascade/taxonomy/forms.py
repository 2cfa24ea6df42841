"""The forms in which type trees are given: lists, nested and flat dicts, and files of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import srsly

from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from .names import SEP, correct_name, parse_path

# Nested names: children by name.
NestedNames = dict[str, "NestedNames"]
# What JSON or YAML holds, by key.
Table = Mapping[str, Any]
# What users write for a tree: nested mappings, lists of names, or names joined with commas.
Tree = Table | Sequence[str] | str


class TaxonomyArgs(TypedDict, total=False):
    """Arguments of `Taxonomy`."""

    tree: Tree
    name: str
    levels: Sequence[str]
    descriptions: Mapping[str, str]
    aliases: Mapping[str, str]
    names: Mapping[str, Mapping[str, str]]


def nest_labels(labels: Iterable[object]) -> NestedNames:
    """The tree of a plain list.

    'parent->child' and 'parent > child' entries make deeper levels. Entries that are
    the same, letter by letter, collapse.

    labels (Iterable): The names.
    RETURNS (NestedNames): In the order of the list.
    RAISES CascadeError: C006 for a name that can't be used.
    """
    tree: NestedNames = {}
    for label in labels:
        if not isinstance(label, str) or not parse_path(label):
            raise CascadeError(Errors.C006.format(name=label, sep=SEP.strip()))

        parts = parse_path(label)
        if parts == (label.strip(),):
            # White space around a name belongs to its spelling. In a path it belongs to
            # the separators.
            parts = (label,)
        node = tree
        for part in parts:
            node = node.setdefault(correct_name(part), {})
    return tree


def split_names(text: str) -> list[str]:
    """The names of a string that are joined with commas.

    text (str): The names.
    RETURNS (list[str]): Without empty ones.
    """
    names = [name.strip() for name in text.split(",")]
    return list(filter(None, names))


def nest_flat(data: Table) -> dict[str, dict[str, list[str]]]:
    """The tree of DynamicNER's flat JSON.

    Its levels are comma-separated strings, keyed by their parent's name.

    data (Mapping): Has the keys "first-level", "second-level" and "third-level".
    RETURNS (dict): Lists of the finest types, by medium and coarse type.
    """
    first: str = data["first-level"]
    second: Mapping[str, str] = data.get("second-level", {})
    third: Mapping[str, str] = data.get("third-level", {})

    tree = {}
    for coarse in split_names(first):
        children = {}
        for medium in split_names(second.get(coarse, "")):
            children[medium] = split_names(third.get(medium, ""))
        tree[coarse] = children
    return tree


def read_form(data: object, *, source: str, name: str) -> TaxonomyArgs:
    """Arguments of `Taxonomy` from any of the known forms.

    data (object): What users give.
    source (str): What messages call the data.
    name (str): Of the taxonomy, where the data have none.
    RETURNS (TaxonomyArgs): To be unpacked.
    RAISES CascadeError: C004 if the form is unknown.
    """
    if isinstance(data, Mapping):
        return _read_mapping(data, name)
    if isinstance(data, (list, tuple)):
        return {"tree": nest_labels(data), "name": name}
    why = f"found {type(data).__name__}"
    raise CascadeError(Errors.C004.format(source=source, why=why))


def _read_mapping(data: Table, name: str) -> TaxonomyArgs:
    """Arguments of `Taxonomy` from a dict.

    data (Mapping): A flat or nested one, or one with the key "tree".
    name (str): Of the taxonomy, where the data have none.
    RETURNS (TaxonomyArgs): To be unpacked.
    """
    if "first-level" in data:
        return {"tree": nest_flat(data), "name": str(data.get("dataset") or name)}

    if isinstance(data.get("tree"), (Mapping, list)):
        args: TaxonomyArgs = {"tree": data["tree"], "name": data.get("name", name)}
        if data.get("levels"):
            args["levels"] = data["levels"]
        for key in ("descriptions", "aliases", "names"):
            if data.get(key):
                args[key] = data[key]
        return args

    # labels.json of a B2NERD-style data set: raw label -> natural name
    is_labels = bool(data) and all(isinstance(value, str) for value in data.values())
    tree: Tree = nest_labels(data.values()) if is_labels else data
    return {"tree": tree, "name": name}


def read_file(path: Path) -> object:
    """What a file of JSON, YAML or plain text (one label per line) holds.

    path (Path): The file.
    RETURNS (object): What `read_form` reads.
    RAISES CascadeFileNotFoundError: C004 if there is no such file.
    RAISES CascadeError: C004 if it can't be read.
    """
    source = f"'{path}'"
    if not path.is_file():
        why = "there is no such file"
        raise CascadeFileNotFoundError(Errors.C004.format(source=source, why=why))
    try:
        if path.suffix == ".json":
            return srsly.read_json(path)
        if path.suffix in (".yml", ".yaml"):
            return srsly.read_yaml(path)
        lines = [line.strip() for line in path.read_text("utf8").splitlines()]
        return list(filter(None, lines))
    except (ValueError, UnicodeDecodeError) as err:
        raise CascadeError(Errors.C004.format(source=source, why=err)) from err
