"""Sentence and mention embeddings, with a choice of embedder (registry `embedders`)."""

from __future__ import annotations

import json
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spacy_cascade import trust
from spacy_cascade.registry import embedders

from .errors import CorpusError, Errors

# Texts -> unit vectors, float32, shape (texts, dimensions). The same text always gets
# the same vector.
Embedder = Callable[[Sequence[str]], np.ndarray]
CHUNK = 2048


@embedders("spacy-cascade.HashEmbedder.v1")
def hash_embedder(dim: int = 512, min_n: int = 1, max_n: int = 4) -> Embedder:
    """Hashed counts of character n-grams, case and the composition of accents ignored:
    needs no model and no network, and works in every language. Similar spelling means
    similar vectors; meaning is out of its reach.

    dim (int): Dimensions. min_n (int), max_n (int): Lengths of n-grams.
    """

    def embed(texts: Sequence[str]) -> np.ndarray:
        out = np.zeros((len(texts), dim), dtype=np.float32)
        for row, text in enumerate(texts):
            padded = f"\x02{unicodedata.normalize('NFC', text).casefold()}\x03"
            grams = (
                padded[i : i + n]
                for n in range(min_n, max_n + 1)
                for i in range(len(padded) - n + 1)
            )
            codes = np.fromiter(
                (zlib.crc32(g.encode("utf8", "surrogatepass")) for g in grams),
                dtype=np.uint32,
            )
            # one bit of the hash is the sign, so that collisions cancel out on average
            signs = 1.0 - 2.0 * (codes >> np.uint32(31))
            out[row] = np.bincount(codes % np.uint32(dim), weights=signs, minlength=dim)
        return unit_rows(out, texts)

    return embed


@embedders("spacy-cascade.SentenceTransformer.v1")
def sentence_transformer(name: str, batch_size: int = 64) -> Embedder:
    """A sentence-transformers model.

    name (str): Hub name or directory.
    RAISES CorpusError: T041 if it can't be loaded, T110 if its directory names code that is not of
        sentence-transformers, which would run it.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as err:
        why = "the package sentence-transformers is not installed"
        raise CorpusError(Errors.T041.format(name=name, why=why)) from err
    trusted = trust.granted(trust.REMOTE_CODE)
    foreign = [] if trusted or not Path(name).is_dir() else foreign_modules(Path(name))
    if foreign:
        variable = trust.REMOTE_CODE.variable
        raise CorpusError(
            Errors.T110.format(name=name, found=foreign[0], variable=variable)
        )
    try:
        model: Any = SentenceTransformer(name, trust_remote_code=trusted)
    except (
        Exception
    ) as err:  # the hub, the file system and the model each have errors of their own
        raise CorpusError(
            Errors.T041.format(name=name, why=f"{type(err).__name__}: {err}"[:300])
        ) from err

    def embed(texts: Sequence[str]) -> np.ndarray:
        found = model.encode(
            list(texts),
            batch_size=batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return unit_rows(np.asarray(found, dtype=np.float32), texts)

    return embed


def foreign_modules(folder: Path) -> list[str]:
    """Classes that a saved model wants to be built of and that are not of sentence-transformers."""
    named: list[Any] = []
    for file in sorted(folder.rglob("*.json")):
        if file.name not in ("modules.json", "router_config.json"):
            continue
        try:
            content = json.loads(file.read_text("utf8"))
        except ValueError:
            continue  # sentence-transformers says what is wrong with it
        if isinstance(content, list):
            named += [part.get("type") for part in content if isinstance(part, dict)]
        elif isinstance(content, dict) and isinstance(content.get("types"), dict):
            named += content["types"].values()
    return [
        str(one) for one in named if not str(one).startswith("sentence_transformers.")
    ]


def get_embedder(name: str) -> Embedder:
    """name (str): 'hash', or a sentence-transformers model by hub name or directory."""
    return hash_embedder() if name == "hash" else sentence_transformer(name)


def as_embedder(embedder: str | Embedder) -> Embedder:
    """embedder (str | Embedder): See `get_embedder`, or a function."""
    return get_embedder(embedder) if isinstance(embedder, str) else embedder


def embedder_name(embedder: str | Embedder) -> str:
    """What a report calls an embedder."""
    if isinstance(embedder, str):
        return embedder
    return str(getattr(embedder, "__qualname__", "function"))


def unit_rows(vectors: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Scale rows to length one. RAISES CorpusError: T042 for a row of zeros, NaN or infinity."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))
    if len(bad):
        raise CorpusError(
            Errors.T042.format(n=len(bad), total=len(texts), text=texts[bad[0]][:80])
        )
    return vectors / norms


def embed_chunks(
    embedder: Embedder, texts: Iterable[str], *, size: int = CHUNK
) -> Iterator[np.ndarray]:
    """Embed a stream of texts, a chunk at a time."""
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == size:
            yield embedder(chunk)
            chunk = []
    if chunk:
        yield embedder(chunk)
