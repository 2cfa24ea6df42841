"""The texts that `en_cascade_smollm2` is trained on: few of many data sets, under many names.

    python benchmarks/run.py corpora.smollm2_texts --raw corpus/raw-sets
        --standard corpus/open-sets --geic corpus/geic --b2nerd corpus/b2nerd
        --output corpus/smollm2 --everyday corpus/smollm2/everyday.spacy

Writes train.spacy and dev.spacy. A model that is to read a label list has to see lists
that vary: a text has the types' own names, standardized ones, synonyms or coarse ones,
in random order, and a part of the texts names types of a far domain, which none of its
mentions has. Of every data set so many texts are taken as `QUOTAS` says, those first
whose types few of the chosen texts have. With --everyday, the texts that
`corpora.everyday_texts` writes make up a share of train.spacy.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from spacy.tokens import Doc, DocBin

from benchmarks import options
from benchmarks.common import blank
from benchmarks.everyday_texts.mixing import mixed
from spacy_cascade.taxonomy import Taxonomy, builtin, parse_path
from spacy_cascade.training.augment import gold_doc

# Texts of each data set.
QUOTAS = {
    "multiconer2_en": 1000,
    "few_nerd_36": 900,
    "few_nerd_17": 600,
    "wnut17": 700,
    "uner_ewt": 500,
    "wikigold": 800,
    "broad_twitter_corpus": 500,
    "bc5cdr": 450,
    "ncbi_disease": 250,
    "bc2gm": 250,
    "bionlp13cg": 450,
    "bionlp11id": 200,
    "bionlp13pc": 200,
    "craft": 250,
    "anem": 300,
    "linnaeus": 150,
    "cyner": 350,
    "hipe_ajmc": 150,
    "litbank_mentions": 200,
    "re3d": 250,
    "sec_filings": 250,
    "materials_synthesis": 350,
    "sofc_exp": 150,
    "wetlab_protocols": 250,
}
DEV_TEXTS = 14
# Tokens of a text: long ones cost more than they teach.
SHORTEST, LONGEST, LONGEST_DEV = 3, 46, 60
SCIENCE = {
    "bc5cdr",
    "ncbi_disease",
    "bc2gm",
    "bionlp13cg",
    "bionlp11id",
    "bionlp13pc",
    "craft",
    "anem",
    "linnaeus",
    "materials_synthesis",
    "sofc_exp",
    "wetlab_protocols",
}
# Types that a text of science, or any other, does not mention.
FAR = {
    True: [
        "politician",
        "sports team",
        "film",
        "song",
        "restaurant",
        "airport",
        "political party",
        "album",
        "university",
        "television program",
    ],
    False: [
        "gene or protein",
        "chemical compound",
        "laboratory device",
        "cell type",
        "malware",
        "amount unit",
        "protein complex",
        "enzyme",
    ],
}
# Other names for a type; the more often one stands here, the more often it is taken.
SYNONYMS = {
    "person": [
        "person",
        "person",
        "people",
        "person name",
        "human being",
        "individual",
    ],
    "organization": [
        "organization",
        "organisation",
        "organization",
        "institution or company",
    ],
    "organisation": ["organization", "organisation"],
    "location": [
        "location",
        "location",
        "place",
        "geographical location",
        "location or geo-political entity",
    ],
    "location or geo-political entity": [
        "location",
        "place",
        "location or geo-political entity",
    ],
    "creative work": ["creative work", "work of art", "title of a work"],
    "company": ["company", "corporation", "business"],
    "corporation": ["company", "corporation"],
    "disease": ["disease", "illness", "disease or symptom", "medical condition"],
    "chemical": ["chemical", "chemical compound", "chemical or drug"],
    "gene": ["gene", "gene or protein"],
    "gene or gene product": ["gene", "gene or protein", "gene or gene product"],
    "event": ["event", "named event"],
    "product": ["product", "product or brand"],
    "politician": ["politician", "political figure"],
    "geopolitical entity": [
        "geopolitical entity",
        "country, city or state",
        "geo-political entity",
    ],
    "film": ["film", "movie"],
    "food": ["food", "dish or food"],
    "musical work": ["musical work", "song", "music"],
    "musical group": ["musical group", "band"],
    "species": ["species", "organism"],
}
# Of MultiCoNER II, whose fine types are complete, also the coarse ones are asked for.
COARSE_SET = "multiconer2_en"
COARSE = sorted(
    {
        "person",
        "location",
        "organization",
        "product",
        "creative work",
        "medicine",
        "facility",
    }
)

Mentions = list[tuple[int, int, tuple[str, ...]]]


def run(
    raw: Annotated[Path, "data sets with their own names"],
    standard: Annotated[Path, "the same, standardized"],
    geic: Annotated[Path, "corpora with DynamicNER's types"],
    b2nerd: Annotated[Path, "the embedded B2NERD corpora"],
    output: Annotated[Path, "directory"],
    seed: options.Seed = 0,
    everyday: Annotated[Path | None, "everyday texts to mix in, DocBin"] = None,
    everyday_share: Annotated[float, "share of train.spacy that they make up"] = 0.25,
) -> dict[str, Any]:
    """Write both files.

    RETURNS (dict): Texts and tokens of each file.
    """
    texts = Texts(random.Random(seed))
    output.mkdir(parents=True, exist_ok=True)
    sizes = {}
    for split in ("train", "dev"):
        folders = Folders(raw, standard, geic, b2nerd)
        docs = split_texts(texts, split, folders)
        if everyday is not None and split == "train":
            # With a source of its own: dev.spacy stays as it is without them.
            rng = random.Random(seed)
            docs = mixed(docs, texts.read(everyday), everyday_share, rng)
        DocBin(store_user_data=True, docs=docs).to_disk(output / f"{split}.spacy")
        sizes[split] = {"texts": len(docs), "tokens": sum(map(len, docs))}
    return sizes


class Texts:
    """Chooses texts and names for their types. rng (random.Random): Source of randomness."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.nlp = blank()

    def read(self, path: Path) -> list[Doc]:
        stored = DocBin().from_disk(path)
        return list(stored.get_docs(self.nlp.vocab))

    def make(
        self,
        text: str,
        mentions: Mentions,
        labels: list[str] | None,
    ) -> Doc:
        doc = gold_doc(self.nlp, text, mentions)
        if labels is not None:
            doc.user_data["cascade_labels"] = tuple(labels)
        return doc

    def choose(
        self,
        docs: list[Doc],
        n: int,
        longest: int,
    ) -> list[Doc]:
        """n texts, a sixth of them without a mention, as far as there are."""
        docs = [doc for doc in docs if SHORTEST <= len(doc) <= longest]
        self.rng.shuffle(docs)
        pool = [doc for doc in docs if mentions_of(doc)]
        negative = [doc for doc in docs if not mentions_of(doc)]
        negative = negative[: n // 6]
        seen: Counter[tuple[str, ...]] = Counter()
        chosen: list[Doc] = []
        while pool and len(chosen) < n - len(negative):
            rarest = min(pool[:40], key=lambda doc: least_seen(seen, doc))
            pool.remove(rarest)
            chosen.append(rarest)
            seen.update({path for *_, path in mentions_of(rarest)})
        return chosen + negative

    def named(
        self,
        name: str,
        raw: Doc,
        standard: Doc,
    ) -> tuple[Mentions, list[str]]:
        """Mentions and label list of a text of the data set `name`."""
        mentions, labels = self._names(name, raw, standard)
        if all(len(path) == 1 for *_, path in mentions) and self.rng.random() < 0.5:
            other = {
                label: self.rng.choice(SYNONYMS.get(label, [label])) for label in labels
            }
            if len(set(other.values())) == len(labels):
                renamed = []
                for start, end, (label,) in mentions:
                    renamed.append((start, end, (other.get(label, label),)))
                mentions = renamed
                labels = [other[label] for label in labels]
        if self.rng.random() < 0.3:
            far = FAR[name in SCIENCE]
            number = self.rng.randint(1, 4)
            drawn = self.rng.sample(far, number)
            labels += [label for label in drawn if label not in labels]
        self.rng.shuffle(labels)
        return mentions, labels

    def _names(
        self,
        name: str,
        raw: Doc,
        standard: Doc,
    ) -> tuple[Mentions, list[str]]:
        draw = self.rng.random()
        if name == COARSE_SET and draw < 0.45:
            coarse = []
            for start, end, path in mentions_of(standard):
                coarse.append((start, end, path[:1]))
            if all(path[0] in COARSE for *_, path in coarse):
                return coarse, list(COARSE)
            own = []
            for start, end, path in mentions_of(raw):
                own.append((start, end, path[-1:]))
            return own, list(raw.user_data["cascade_labels"])
        doc = raw if draw < 0.7 else standard
        return mentions_of(doc), list(doc.user_data["cascade_labels"])

    def of_taxonomy(self, doc: Doc, taxonomy: Taxonomy, *, flat: bool) -> Doc:
        """A text with paths of a taxonomy: as it is, or with one level's names as a flat list."""
        mentions = mentions_of(doc)
        if not flat or self.rng.random() >= 0.6:
            return self.make(doc.text, mentions, None)
        level = self.rng.choice([1, 1, 2, 3])

        def at_level(path: tuple[str, ...]) -> str:
            return path[min(level, len(path)) - 1]

        labels = sorted({at_level(path) for path in taxonomy.leaves})
        if level > 1:
            right = {at_level(path) for *_, path in mentions}
            most = min(len(labels), self.rng.randint(4, 16))
            labels = sorted(right | set(self.rng.sample(labels, most)))
        cut = []
        for start, end, path in mentions:
            cut.append((start, end, (at_level(path),)))
        return self.make(doc.text, cut, labels)


def least_seen(seen: Counter[tuple[str, ...]], doc: Doc) -> int:
    """How often the rarest of a text's types was seen."""
    return min(seen[path] for *_, path in mentions_of(doc))


def mentions_of(doc: Doc) -> Mentions:
    """Gold mentions by characters, with their paths."""
    group = doc.spans.get("gold")
    if group is None:
        return []
    paths = group.attrs.get("paths") or [span.label_ for span in group]
    out = []
    for span, path in zip(group, paths, strict=True):
        place = span.start_char, span.end_char
        out.append((*place, parse_path(path)))
    return out


@dataclass(frozen=True)
class Folders:
    """Data sets with their own names, the same under standardized names, corpora with
    DynamicNER's types, and the embedded B2NERD corpora.
    """

    raw: Path
    standard: Path
    geic: Path
    b2nerd: Path


def split_texts(
    texts: Texts,
    split: str,
    folders: Folders,
) -> list[Doc]:
    """All texts of a split, shuffled."""
    train = split == "train"
    out: list[Doc] = []
    for name, quota in QUOTAS.items():
        raw = texts.read(folders.raw / name / f"{split}.spacy")
        same = texts.read(folders.standard / name / f"{split}.spacy")
        standard = {doc.text: doc for doc in same}
        wanted, longest = (quota, LONGEST) if train else (DEV_TEXTS, LONGEST_DEV)
        for doc in texts.choose(raw, wanted, longest):
            if doc.text in standard:
                named = texts.named(name, doc, standard[doc.text])
                out.append(texts.make(doc.text, *named))
    taxonomy = builtin("dynamicner")
    own = texts.read(folders.geic / "en" / f"{split}.spacy")
    for repeat in range(3 if train else 1):
        for doc in own if train else own[:60]:
            out.append(texts.of_taxonomy(doc, taxonomy, flat=train and repeat > 0))
    for path in sorted((folders.b2nerd / "NER_en").rglob(f"{split}.spacy")):
        for doc in texts.read(path)[: None if train else 8]:
            labels: Any = doc.user_data.get("cascade_labels")
            out.append(texts.make(doc.text, mentions_of(doc), labels))
    texts.rng.shuffle(out)
    return out
