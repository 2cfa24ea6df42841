"""Embeddings on disk: written a chunk at a time, read as a memory map, so that memory
does not grow with the corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from .embedding import CHUNK, Embedder, unit_rows
from .errors import CorpusError, Errors
from .files import atomic_path

BLOCK = 1024


def checked(embedder: Embedder, texts: list[str]) -> np.ndarray:
    """Embeds texts with any registered embedder.

    RETURNS (ndarray[float32], shape (texts, dimensions)): Unit rows.

    RAISES CorpusError: T042 for a row of zeros, NaN or infinity; T072 for a wrong shape.
    """
    vectors = np.asarray(embedder(texts), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise CorpusError(Errors.T072.format(shape=vectors.shape, n=len(texts)))
    return unit_rows(vectors, texts)


def write_vectors(
    embedder: Embedder, texts: Iterable[str], path: Path, *, size: int = CHUNK
) -> None:
    """Embeds a stream of texts into an `.npy` file of float32 unit rows, atomically.

    size (int): Texts at a time.
    RAISES CorpusError: T042 for a row of zeros, NaN or infinity; T072 for a wrong shape.
    """
    rows = dimensions = 0
    with atomic_path(path) as temp, temp.open("wb") as file:
        _header(file, 0, 0)
        for chunk in chunks(texts, size):
            vectors = checked(embedder, chunk)
            rows, dimensions = rows + len(vectors), vectors.shape[1]
            file.write(np.ascontiguousarray(vectors).data)
        file.seek(0)
        _header(file, rows, dimensions)


def _header(file, rows: int, dimensions: int) -> None:  # type: ignore[no-untyped-def]
    # Headers are padded to a multiple of 64 bytes, with room for the number of rows to
    # grow: both have one length.
    shape = {"descr": "<f4", "fortran_order": False, "shape": (rows, dimensions)}
    np.lib.format.write_array_header_1_0(file, shape)


def read_vectors(path: Path) -> np.ndarray:
    """A memory map, read only."""
    return np.load(path, mmap_mode="r")


def chunks(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """Lists of at most so many texts."""
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def nearest_of(vectors: np.ndarray) -> np.ndarray:
    """Every row's highest cosine to another row, shape (rows,), in blocks. -inf for a
    single row.
    """
    best = np.full(len(vectors), -np.inf, dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        similarity = vectors[start : start + BLOCK] @ vectors.T
        own = np.arange(len(similarity))
        similarity[own, start + own] = -np.inf
        best[start : start + BLOCK] = similarity.max(axis=1)
    return best


def nearest_in(
    vectors: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Every row's most similar row of `others`.

    RETURNS: numbers of these rows, cosines; both of shape (rows,).
    """
    best = np.full(len(vectors), -np.inf, dtype=np.float32)
    where = np.zeros(len(vectors), dtype=np.int64)
    own = np.arange(len(vectors))
    for start in range(0, len(others), 8 * BLOCK):
        similarity = vectors @ others[start : start + 8 * BLOCK].T
        number = similarity.argmax(axis=1)
        found = similarity[own, number]
        better = found > best
        best[better], where[better] = found[better], start + number[better]
    return where, best
