"""Token classification as Hugging Face's data sets hold it: `{"tokens": ["Lena", "sings"],
"ner_tags": ["B-PER", "O"]}`, in JSON lines or a list. Only read.

Tags may be numbers if a `dataset_info.json` beside the file names them, as `datasets` writes it.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CorpusError, Errors
from ..files import Item, iter_json
from ..issues import REJECTED, REPAIRED, FileLog, Report
from ..records import Mention, Record
from .base import Format
from .common import count_record, show
from .joining import Joiner, detect_joiner, join
from .spelling import Spelling, find_spelling
from .tags import OUTSIDE, decode, detect_scheme

EXPECTED = 'records like {"tokens": ["Lena", "sings"], "ner_tags": ["B-PER", "O"]}'
TOKENS = ("tokens", "words", "tokenized_text", "text")
TAGS = ("ner_tags", "ner", "named_entities", "tags", "labels")
INFO = "dataset_info.json"
KEYS = (*TOKENS, *TAGS, "id", "pos_tags", "chunk_tags", "langs", "spans")
_SAMPLE = 200


class _Sentence(NamedTuple):
    """tags: One per token, as they stand in the file, numbers by their names."""

    item: Item
    tokens: list[str]
    tags: list[str]


def is_info(path: Path) -> bool:
    """Whether a file describes the data beside it."""
    return path.name == INFO


def fits(value: Any) -> bool:
    """Whether a record has this layout; its tags may be numbers or too few."""
    if not isinstance(value, Mapping):
        return False
    key = _tokens_key(value)
    tags = value.get(_tags_key(value))
    return (
        bool(key)
        and isinstance(tags, list)
        and all(type(tag) in (str, int) for tag in tags)
    )


def _tokens_key(value: Mapping[str, Any]) -> str:
    return next((key for key in TOKENS if _are_strings(value.get(key))), "")


def _tags_key(value: Mapping[str, Any]) -> str:
    return next((key for key in TAGS if key in value), TAGS[0])


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def read(
    path: Path, report: Report, *, source: str = "", encoding: str | None = None
) -> Iterator[Record]:
    """Reads a file sentence by sentence. How its tags are written is seen from the first ones.

    YIELDS (Record): With "index", "id" and "tokens" in `meta`. Invalid tag sequences are repaired
        and reported.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T008 and T084 for the encoding, T005 for a
        damaged dataset_info.json, T089 for numbers that nothing names, T090 for tags that are none.
    """
    log = report.file(source or str(path))
    sentences = _sentences(path, log, encoding)
    sample = list(itertools.islice(sentences, _SAMPLE))
    counted = Counter(tag for one in sample for tag in one.tags)
    found = find_spelling(counted, plain=True)
    if 2 * found.understood < sum(counted.values()):
        tag = next(tag for tag in counted if not found.spelling.reads(tag))
        raise CorpusError(Errors.T090.format(path=path, found=show(tag)))
    spelling = found.spelling
    scheme = detect_scheme(
        [spelling.canonical(tag) or tag for tag in s.tags] for s in sample
    )
    joiner = detect_joiner(token for one in sample for token in one.tokens)
    for sentence in itertools.chain(sample, sentences):
        yield _to_record(sentence, spelling, scheme, joiner, log)


def _sentences(path: Path, log: FileLog, encoding: str | None) -> Iterator[_Sentence]:
    for item in iter_json(path, log, record_keys=frozenset(KEYS), encoding=encoding):
        value: Mapping[str, Any] = item.value if isinstance(item.value, Mapping) else {}
        tokens, tags = value.get(_tokens_key(value)), value.get(_tags_key(value))
        if (
            not isinstance(tokens, list)
            or not isinstance(tags, list)
            or len(tokens) != len(tags)
        ):
            reason = "a record needs a list of tokens and one of as many tags"
            log.add(item.index, REJECTED, f"{reason}, found {show(item.value)}")
            continue
        names = (
            _names(path, _tags_key(value)) if any(type(t) is int for t in tags) else []
        )
        pairs = zip(tokens, (_name(tag, names) for tag in tags), strict=True)
        kept = [(token, tag) for token, tag in pairs if token.strip()]
        if kept:
            yield _Sentence(
                item, [token for token, _ in kept], [tag for _, tag in kept]
            )
        else:
            log.add(item.index, REJECTED, "the record has no token")


def _name(tag: Any, names: Sequence[str]) -> str:
    """A number that is no place in the names stays one, which no spelling reads."""
    if type(tag) is int and 0 <= tag < len(names):
        return names[tag]
    return tag if isinstance(tag, str) else show(tag)


def _names(path: Path, key: str) -> list[str]:
    """The names of numbered tags. RAISES CorpusError: T005, T089."""
    info = path.parent / INFO
    try:
        data = json.loads(info.read_text("utf-8-sig")) if info.is_file() else {}
    except ValueError as err:
        raise CorpusError(
            Errors.T005.format(path=info, format="JSON", why=err)
        ) from err
    features = data.get("features") if isinstance(data, Mapping) else None
    names = _find_names(features.get(key)) if isinstance(features, Mapping) else []
    if not names:
        raise CorpusError(Errors.T089.format(path=path, key=key, info=INFO))
    return names


def _find_names(feature: Any) -> list[str]:
    """Of a class label, however deep it lies in lists."""
    while isinstance(feature, (Mapping, list)):
        if isinstance(feature, Mapping) and _are_strings(feature.get("names")):
            return list(feature["names"])
        feature = (
            feature.get("feature")
            if isinstance(feature, Mapping)
            else (feature or [None])[0]
        )
    return []


def _to_record(
    sentence: _Sentence, spelling: Spelling, scheme: str, joiner: Joiner, log: FileLog
) -> Record:
    index = sentence.item.index
    canonical = [
        OUTSIDE if not tag else spelling.canonical(tag) or tag for tag in sentence.tags
    ]
    found, repairs, unreadable = decode(canonical, scheme)
    for i, reason in repairs:
        log.add(index, REPAIRED, reason, sentence.tokens[i])
    for i in unreadable:
        reason = f"'{sentence.tags[i]}' is no tag of the BIO family; read as outside"
        log.add(index, REJECTED, reason, sentence.tokens[i])
    text, offsets = join(sentence.tokens, joiner)
    mentions = [
        Mention(offsets[a][0], offsets[b - 1][1], label) for a, b, label in found
    ]
    meta = {
        "index": index,
        "id": sentence.item.value.get("id"),
        "tokens": sentence.tokens,
    }
    return count_record(Record.from_entries(text, mentions, meta=meta), log, index)


FORMAT = Format(read, EXPECTED, fits=fits, keys=KEYS, beside=is_info)
