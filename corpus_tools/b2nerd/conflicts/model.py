"""Model-based conflict detection: a spaCy tagger trained on one data set is scored on
all others, per type.

A low F1 means a conflict only where the same tagger is good at home, so that the F1 on
held-out data of its own set stands beside every other. Trainings and scores are cached
by the hash of everything that they depend on; each is written in one step, so that an
interrupted run goes on where it was and ends with the same figures.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import spacy
import thinc
from spacy.language import Language
from thinc.api import Config

from spacy_cascade.doc.words import is_word_character

from ...errors import CorpusError, CorpusFileNotFoundError, Errors
from ...files import atomic_path
from ...formats import docbin
from ...records import Record
from .score import Score, score
from .sets import DataSet, Progress, content_hash
from .similar import Names, Relation

DEFAULT_CONFIG = Path(__file__).parents[2] / "data" / "conflicts_tok2vec.cfg"
MIN_SENTENCES = 5  # fewer can't be divided into training and test
TEST_SHARE = 0.2
# Raised when the code makes other taggers or scores of the same data.
_TAGGERS = "1"
_SCORES = "2"


def load_config(
    path: Path | None = None, *, max_steps: int | None = None, seed: int = 0
) -> Config:
    """The training config of the taggers, as for `spacy train`.

    path (Path): Default: a small tok2vec `ner`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T065 if it is no training config
        or has no `ner`.
    """
    path = path or DEFAULT_CONFIG
    if not path.is_file():
        raise CorpusFileNotFoundError(Errors.T001.format(path=path, cwd=Path.cwd()))
    try:
        config = Config().from_disk(path, interpolate=False)
    except ValueError as err:
        raise CorpusError(
            Errors.T065.format(path=path, why=str(err).strip()[:200])
        ) from err
    if "ner" not in config.get("nlp", {}).get("pipeline", ()):
        raise CorpusError(
            Errors.T065.format(path=path, why="its [nlp] pipeline has no 'ner'")
        )
    config.setdefault("training", {})["max_steps"] = max_steps or config[
        "training"
    ].get("max_steps", 0)
    config.setdefault("system", {})["seed"] = seed
    return config


def cross_scores(
    sets: Sequence[DataSet],
    names: Names,
    config: Config,
    cache: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Score]:
    """Trains one tagger per data set and scores it on its own test data and on all sets
    with related labels.

    cache (Path): Directory for taggers and scores. It may be shared by runs: what fits
        is used again.
    RETURNS (list[Score]): Sets with fewer than MIN_SENTENCES sentences are neither
        trained nor scored on.
    RAISES CorpusError: T065 if the pipeline can't be made.
    """
    usable = [s for s in sets if sum(map(len, s.splits.values())) >= MIN_SENTENCES]
    parts = {s.name: divide(s, seed=seed) for s in usable}
    scores = []
    for a in progress(usable, "train and score") if progress else usable:
        others = [b for b in usable if b is not a and are_related(a, b, names)]
        if not others:
            continue
        home = cache / _key(
            a.name,
            config,
            content_hash(parts[a.name][0]),
            content_hash(parts[a.name][1]),
        )
        nlp: Language | None = None
        for b in (a, *others):
            test = parts[b.name][2]
            file = home / f"{_safe(b.name)}-{_digest(_SCORES, content_hash(test))}.json"
            if not file.is_file():
                nlp = nlp or _tagger(home, config, *parts[a.name][:2])
                with atomic_path(file) as temp:
                    temp.write_text(
                        json.dumps(
                            score(nlp, a.name, b.name, test).to_dict(),
                            ensure_ascii=False,
                        ),
                        "utf8",
                    )
            scores.append(Score.from_dict(json.loads(file.read_text("utf8"))))
    return scores


def are_related(a: DataSet, b: DataSet, names: Names) -> bool:
    """Whether a label of one has by its name to do with a label of the other."""
    others = {names(b.name, y) for y in b.used()}
    return any(
        names.closest(names(a.name, x), others) != Relation.NONE for x in a.used()
    )


def divide(
    dataset: DataSet, *, seed: int = 0
) -> tuple[list[Record], list[Record], list[Record]]:
    """Training, development and test data.

    Missing splits are cut from the training data, seeded.
    """
    train, dev, test = (
        list(dataset.splits.get(s, ())) for s in ("train", "dev", "test")
    )
    if not train:
        train, dev, test = [*dev, *test], [], []
    random.Random(f"{dataset.name}/{seed}").shuffle(train)
    size = max(1, int(TEST_SHARE * len(train)))
    if not test and dev:
        test, dev = dev, []
    if not test:
        test, train = train[:size], train[size:]
    if not dev:
        size = max(1, int(TEST_SHARE * len(train) / 2))
        dev, train = train[:size], train[size:] or train
    return train, dev, test


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf8")).hexdigest()[:16]


def _key(name: str, config: Config, *contents: str) -> str:
    digest = _digest(
        _TAGGERS,
        config.to_str(interpolate=False),
        *contents,
        spacy.__version__,
        thinc.__version__,
    )
    return f"{_safe(name)}-{digest}"


def _safe(name: str) -> str:
    return "".join(c if is_word_character(c) or c in "-_" else "-" for c in name)


def _tagger(
    home: Path, config: Config, train: list[Record], dev: list[Record]
) -> Language:
    """Loads the tagger of the cache, or trains it and puts it there in one step."""
    target, work = home / "tagger", home / "unfinished"
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    if not target.is_dir():
        try:
            _train(config, train, dev, work)
            (work / "model-best").rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return spacy.load(target)


def _train(config: Config, train: list[Record], dev: list[Record], work: Path) -> None:
    from spacy.training.initialize import init_nlp
    from spacy.training.loop import train as train_nlp

    paths = {}
    for name, records in (("train", train), ("dev", dev)):
        paths[name] = str(work / f"{name}.spacy")
        docbin.write(records, Path(paths[name]))
    filled = config.copy()
    filled["paths"] = {**filled.get("paths", {}), **paths}
    steps = filled["training"]["max_steps"]
    filled["training"]["eval_frequency"] = min(
        steps, filled["training"].get("eval_frequency", steps)
    )
    try:
        nlp = init_nlp(filled.interpolate())
    except (ValueError, ImportError, OSError) as err:
        why = f"{type(err).__name__}: {str(err).strip()}"[:300]
        raise CorpusError(
            Errors.T065.format(path="the config of the taggers", why=why)
        ) from err
    silent = io.StringIO()
    train_nlp(nlp, work, stdout=silent, stderr=silent)
