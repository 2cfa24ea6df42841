"""Errors in types, label sets and the files that hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spacy_cascade.taxonomy import Taxonomy
from tests import util

from .util import fails


def test_c001_unknown_type() -> None:
    fails(
        "C001",
        lambda: Taxonomy(["person", "city"]).resolve("persn"),
        "'persn'",
        "Did you mean: person",
        "2 types",
        "city",
    )


@pytest.mark.parametrize("name", ["", " ", "\n", 7, None])
def test_c001_names_that_are_none(name: Any) -> None:
    fails("C001", lambda: Taxonomy(["person"]).resolve(name))


def test_c002_ambiguous_type() -> None:
    fails(
        "C002",
        lambda: Taxonomy({"a": ["x"], "b": ["x"]}).resolve("x"),
        "a > x; b > x",
        "Give the whole path",
    )


@pytest.mark.parametrize("empty", [{}, [], {"tree": {}}])
def test_c003_empty(empty: Any) -> None:
    fails("C003", lambda: Taxonomy.from_object(empty), "at least one type")


def test_c003_empty_subset() -> None:
    fails("C003", lambda: Taxonomy(["a"]).subset([]))


@pytest.mark.parametrize("data", [7, 1.5, None, True])
def test_c004_unknown_form(data: Any) -> None:
    fails(
        "C004", lambda: Taxonomy.from_object(data), type(data).__name__, "Known forms"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", "{"),
        ("t.yml", "a: [b"),
        ("t.txt", b"\xff\xfe\xff"),
        ("t.json", b"\xff"),
    ],
)
def test_c004_unreadable_file(tmp_path: Path, name: str, text: Any) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    fails("C004", lambda: Taxonomy.from_file(tmp_path / name), name)


def test_c004_missing_file(tmp_path: Path) -> None:
    err = fails(
        "C004",
        lambda: Taxonomy.from_file(tmp_path / "no.json"),
        "no.json",
        "no such file",
    )
    assert isinstance(err, FileNotFoundError)


def test_c004_string_that_names_no_file() -> None:
    pipe: Any = util.blank().add_pipe("cascade_classifier")
    err = fails("C004", lambda: pipe.set_taxonomy("person"), "'person'")
    assert isinstance(err, TypeError)


def test_c005_equal_siblings() -> None:
    fails(
        "C005",
        lambda: Taxonomy({"A": {"b": None, " B": None}}),
        "'b'",
        "' B'",
        "'A'",
        "must differ",
    )
    fails("C005", lambda: Taxonomy(["A", "a"]), "'A'", "'a'", "the root")
    fails("C005", lambda: Taxonomy.from_labels(["US", "DE", "us"]), "'US'", "'us'")
    fails(
        "C005",
        lambda: Taxonomy.from_labels(["LOC->city", "loc->country"]),
        "'LOC'",
        "'loc'",
    )


@pytest.mark.parametrize("name", ["", "  ", "a > b", "a\nb", 3])
def test_c006_unusable_name(name: Any) -> None:
    fails("C006", lambda: Taxonomy({name: None}), repr(name))


@pytest.mark.parametrize("name", ["", "->", 3, None])
def test_c006_unusable_label(name: Any) -> None:
    fails("C006", lambda: Taxonomy.from_labels(["a", name]), repr(name))
