from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import registry

from spacy_cascade.doc.corpus import create_corpus, read_once
from spacy_cascade.errors import CascadeError
from tests import util


def write(path: Path, docs: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


@pytest.fixture
def file(tmp_path: Path, gold: list[Example]) -> Path:
    return write(tmp_path / "a.spacy", [eg.reference for eg in gold])


def test_reads_every_document_with_its_gold(
    file: Path, nlp: Language, gold: list[Example]
) -> None:
    found = list(create_corpus(file)(nlp))
    assert [eg.reference.text for eg in found] == [eg.reference.text for eg in gold]
    for a, b in zip(found, gold, strict=True):
        assert util.entities(a.reference) == util.entities(b.reference)
        assert a.reference.spans["gold"].attrs == b.reference.spans["gold"].attrs
        assert not a.predicted.ents


def test_is_registered(file: Path, nlp: Language) -> None:
    assert len(list(registry.readers.get("spacy-cascade.Corpus.v1")(file)(nlp))) == len(
        util.GOLD
    )


def test_sentences_without_entities_are_read(file: Path, nlp: Language) -> None:
    assert any(not eg.reference.ents for eg in create_corpus(file)(nlp))


def test_can_be_read_twice(file: Path, nlp: Language) -> None:
    read = create_corpus(file)
    assert len(list(read(nlp))) == len(list(read(nlp))) == len(util.GOLD)


def test_limit(file: Path, nlp: Language) -> None:
    assert len(list(create_corpus(file, limit=3)(nlp))) == 3


def test_directory(tmp_path: Path, nlp: Language, gold: list[Example]) -> None:
    write(tmp_path / "d" / "a.spacy", [gold[0].reference])
    write(tmp_path / "d" / "sub" / "b.spacy", [gold[1].reference, gold[2].reference])
    assert len(list(create_corpus(tmp_path / "d")(nlp))) == 3


def test_augmenter(file: Path, nlp: Language) -> None:
    def twice(nlp: Language, example: Example) -> Iterator[Example]:
        yield example
        yield example

    assert len(list(create_corpus(file, augmenter=twice)(nlp))) == 2 * len(util.GOLD)


def _fails(path: Path | None, nlp: Language) -> CascadeError:
    with pytest.raises(CascadeError) as err:
        list(create_corpus(path)(nlp))
    assert err.value.code == "C031"
    assert "corpus_tools convert" in str(err.value)
    return err.value


def test_no_path(nlp: Language) -> None:
    assert "[paths]" in str(_fails(None, nlp))


def test_missing_file(tmp_path: Path, nlp: Language) -> None:
    err = _fails(tmp_path / "none.spacy", nlp)
    assert isinstance(err, FileNotFoundError)
    assert "none.spacy" in str(err)


@pytest.mark.parametrize(
    "content", [b"", b"no docbin", b"\x00" * 100, b"PK\x03\x04", b'{"a": 1}']
)
def test_not_a_docbin(tmp_path: Path, nlp: Language, content: bytes) -> None:
    (tmp_path / "x.spacy").write_bytes(content)
    assert "can't be read" in str(_fails(tmp_path / "x.spacy", nlp))


def test_cut_off_docbin(file: Path, nlp: Language) -> None:
    file.write_bytes(file.read_bytes()[:-40])
    _fails(file, nlp)


def test_docbin_without_annotation(tmp_path: Path, nlp: Language) -> None:
    path = write(tmp_path / "plain.spacy", [nlp.make_doc("No gold here.")] * 2)
    assert "none of its 2 documents" in str(_fails(path, nlp))


def test_empty_directory(tmp_path: Path, nlp: Language) -> None:
    _fails(tmp_path, nlp)


def test_inside_read_once_a_corpus_is_read_from_disk_once(
    nlp: Any, tmp_path: Path
) -> None:
    doc = nlp.make_doc("Ann left.")
    doc.set_ents([doc.char_span(0, 3, label="person")])
    path = tmp_path / "a.spacy"
    DocBin(docs=[doc]).to_disk(path)
    read = create_corpus(path)
    with read_once():
        first = list(read(nlp))
        path.unlink()
        assert list(read(nlp)) == first
        assert list(create_corpus(path)(nlp)) == first
    with pytest.raises(CascadeError, match="C031"):
        list(read(nlp))
