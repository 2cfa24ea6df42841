"""The texts of the ablations: short ones of public data sets, as gold Docs, in collections.

    names           one data set with four types
    types           one data set with a taxonomy, two to four levels deep
    base, dynamic   the same; every mention brings a list of types: all finest ones, or
                    one of its own (docs/dynamic.md)
    sets            six data sets, each text with the label set of its data set, under
                    standardized names
    raw             the same under the names that the data sets have
    pruned, random  the same with a part of the training texts

Texts are spread evenly over the training files and the test files.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from corpus_tools.b2nerd.prune_corpus import prune
from corpus_tools.b2nerd.pruning import PruneOptions
from corpus_tools.dynamic.pipeline import Settings, make
from corpus_tools.embedding import get_embedder
from corpus_tools.formats import read_records
from corpus_tools.formats.docs import DocMaker
from corpus_tools.issues import Report
from spacy_cascade.doc.attributes import LABELS_KEY
from spacy_cascade.doc.codecs import Codecs
from spacy_cascade.doc.gold import gold_chars
from spacy_cascade.taxonomy import Taxonomy, format_path
from spacy_cascade.training.list_noise import ListNoise

NAMES = "en/conll2003"
TYPES = "en/few_nerd_36"
SETS = (
    "en/conll2003",
    "en/gum_mentions",
    "en/mit_restaurant",
    "en/uner_ewt",
    "en/wikigold",
    "en/wnut17",
)
NEW = ("en/broad_twitter_corpus", "en/wnut16")  # only tested on
LONGEST = 24  # tokens of a text


@dataclass(frozen=True)
class Data:
    """A collection.

    train (list[Doc]), tests (dict[str, list[Doc]]): Gold Docs.
    taxonomy (Optional[Taxonomy]): Of texts that bring no label set.
    lists (dict[str, list[Doc]]): Test texts whose mentions bring lists of types.
    source (list[Doc]): What the tokenizer is trained on; empty: the training texts.
    """

    train: list[Doc]
    tests: dict[str, list[Doc]]
    taxonomy: Taxonomy | None = None
    lists: dict[str, list[Doc]] = field(default_factory=dict)
    source: list[Doc] = field(default_factory=list)


class Collections:
    """Makes collections by name, each once.

    standard (Path): Data sets under standardized label names, as DocBins (`corpus_tools
        standardize`).
    real (Path): The same data sets as they are, in B2NERD layout.
    train (int), test (int): Most texts of each of the `SETS`. Of a data set that stands
        alone, four times as many.
    k (int): Texts per type that pruning keeps.
    """

    def __init__(
        self,
        nlp: Language,
        standard: Path,
        real: Path,
        *,
        train: int = 700,
        test: int = 75,
        k: int = 40,
    ):
        self.nlp = nlp
        self.standard = standard
        self.real = real
        self.k = k
        self.sizes = {"train": train, "test": test}
        self._known: dict[str, Data] = {}
        self._makers: dict[str, Callable[[], Data]] = {
            "names": self._names,
            "types": self._types,
            "base": lambda: self._lists("base"),
            "dynamic": lambda: self._lists("dynamic"),
            "sets": self._sets,
            "raw": self._raw,
            "pruned": lambda: self._part("diversity"),
            "random": lambda: self._part("random"),
        }

    def __call__(self, name: str) -> Data:
        if name not in self._known:
            self._known[name] = self._makers[name]()
        return self._known[name]

    def _read(
        self,
        name: str,
        split: str,
        factor: int = 1,
    ) -> list[Doc]:
        path = self.standard / name / f"{split}.spacy"
        if not path.is_file():
            raise SystemExit(
                f"No DocBin at {path}. Make it with `spacy project run open-data`."
            )
        docs = []
        for doc in self._docs(path):
            if 4 <= len(doc) <= LONGEST:
                docs.append(doc)
        most = factor * self.sizes[split]
        n = min(len(docs), most)
        return [docs[i * len(docs) // n] for i in range(n)]

    def _docs(self, path: Path) -> list[Doc]:
        with Codecs():
            stored = DocBin().from_disk(path)
            return list(stored.get_docs(self.nlp.vocab))

    def _names(self) -> Data:
        test = self._read(NAMES, "test", 4)
        return Data(self._read(NAMES, "train", 4), {"own": test})

    def _types(self) -> Data:
        train, test = (self._read(TYPES, split, 4) for split in ("train", "test"))
        paths = set()
        for doc in (*train, *test):
            del doc.user_data[LABELS_KEY]
            paths.update(format_path(path) for *_, path in gold_chars(doc))
        taxonomy = Taxonomy.from_labels(sorted(paths), name="types")
        return Data(train, {"own": test}, taxonomy)

    def _lists(self, version: str) -> Data:
        """Lists of training and test texts are made apart, by the same rules."""
        data = self("types")
        return Data(
            self._versions(data.train)[version],
            data.tests,
            data.taxonomy,
            lists=self._versions(data.tests["own"]),
            source=data.train,
        )

    def _versions(self, docs: Sequence[Doc]) -> dict[str, list[Doc]]:
        taxonomy = self("types").taxonomy
        assert taxonomy is not None
        with tempfile.TemporaryDirectory() as tmp:
            source, types, out = (
                Path(tmp) / name for name in ("corpus.spacy", "types.json", "out")
            )
            srsly.write_json(types, taxonomy.to_dict())
            DocBin(docs=docs, store_user_data=True).to_disk(source)
            settings = Settings(
                lang="en",
                synonyms="none",
                taxonomy=str(types),
                budget=12,
                seeds=1,
                formats=("docbin",),
            )
            make(source, out, get_embedder("hash"), settings)
            return {v: self._docs(out / v / source.name) for v in ("base", "dynamic")}

    def _sets(self) -> Data:
        train, own = (
            [doc for name in SETS for doc in self._read(name, split)]
            for split in ("train", "test")
        )
        new = [doc for name in NEW for doc in self._read(name, "test")]
        return Data(
            train,
            {
                "own": own,
                "parts": self._reduced(own),
                "new": new,
            },
        )

    def _reduced(self, docs: Iterable[Doc]) -> list[Doc]:
        """Each text with a random part of its label set, and the mentions of these labels alone."""
        out = []
        for i, doc in enumerate(docs):
            noise = ListNoise(random.Random(i), 1.0, 0.5)
            out.append(noise.reduced(self.nlp, doc))
        return out

    def _raw(self) -> Data:
        data = self("sets")
        found = self._raw_docs()

        def raw(docs: Sequence[Doc]) -> list[Doc]:
            return [found[doc.text] for doc in docs]

        own = raw(data.tests["own"])
        new = raw(data.tests["new"])
        tests = {
            "own": own,
            "parts": self._reduced(own),
            "new": new,
        }
        return Data(raw(data.train), tests)

    def _raw_docs(self) -> dict[str, Doc]:
        """By text."""
        maker = DocMaker(self.nlp)
        files = [(name, split) for name in SETS for split in ("train", "test")]
        files += [(name, "test") for name in NEW]
        found: dict[str, Doc] = {}
        for name, split in files:
            path = self.real / name / f"{split}.json"
            for record in read_records(path, Report()):
                if len(record.text) < 40 * LONGEST:
                    found.setdefault(record.text, maker(record))
        return found

    def _part(self, method: str) -> Data:
        """Of each data set as many texts by either method."""
        data = self("sets")
        with tempfile.TemporaryDirectory() as tmp:
            source, pruned, chosen = (
                Path(tmp) / name for name in ("all", "pruned", "random")
            )
            for name in SETS:
                docs = DocBin(docs=self._read(name, "train"), store_user_data=True)
                (source / name).mkdir(parents=True)
                docs.to_disk(source / name / "train.spacy")
            report = prune(source, pruned, PruneOptions(k=self.k))
            if method == "random":
                sizes = {name: one["kept"] for name, one in report["datasets"].items()}
                prune(source, chosen, PruneOptions(method="random"), sizes=sizes)
            files = (pruned if method == "diversity" else chosen).glob("**/train.spacy")
            kept = {doc.text for file in files for doc in self._docs(file)}
        train = [doc for doc in data.train if doc.text in kept]
        return Data(train, data.tests, source=data.train)
