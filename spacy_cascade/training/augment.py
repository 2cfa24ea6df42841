"""Mention replacement: a sentence with other names of the same type is another sentence
to learn from.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import srsly
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example

from ..doc.annotations import fuse
from ..doc.gold import gold_chars
from ..doc.missing import GOLD_KEY, missing_ranges
from ..doc.words import characters, is_letters
from ..errors import CascadeFileNotFoundError, Errors
from ..registry import augmenters
from ..taxonomy import Taxonomy, TypePath, builtin, format_path

ANY_LANGUAGE = ""
# (start, end) in characters
Range = tuple[int, int]
CharMention = tuple[int, int, TypePath]
# language -> label path -> names
Names = dict[str, dict[TypePath, list[str]]]
T = TypeVar("T")

_UNSPACED = ("zh", "ja")
# Share of the words of an invented name that get another beginning.
_NEW_WORDS = 0.7


class Randomness(Protocol):
    """What is drawn from: a `random.Random`, or the module `random`, which spaCy seeds."""

    def random(self) -> float: ...

    def choice(self, seq: Sequence[T], /) -> T: ...


class Rewritten(NamedTuple):
    """text (str): The new text. places (dict): Old -> new place of each outermost mention."""

    text: str
    places: dict[Range, Range]


class MentionReplacer:
    """Puts other names of the same language and type in the place of gold mentions.

    names (dict): language -> label path -> names. Names under the language "" fit every
        language.
    rate (float): Chance of each mention to be replaced. Mentions that contain others stay.
    invent (float): Share of the replacements that are invented names: a known name of
        the type, whose words get new beginnings. They can't be learned by heart, so the
        model has to read the context and the endings of words.
    """

    def __init__(
        self,
        names: Names,
        *,
        rate: float = 0.5,
        invent: float = 0.0,
    ):
        self.names = names
        self.rate = rate
        self.invent = invent
        self._stems: dict[str, list[str]] = {}

    @classmethod
    def from_dir(
        cls,
        path: str | Path,
        taxonomy: Taxonomy,
        *,
        rate: float = 0.5,
        invent: float = 0.0,
    ) -> MentionReplacer:
        """Reads `<language>.json` files of the form {"type": ["name", ...]}.

        RAISES CascadeFileNotFoundError: C031 if the directory holds none.
        RAISES CascadeError: C001 for an unknown type.
        """
        names: Names = {}
        for file in sorted(Path(path).glob("*.json")):
            by_path = names.setdefault(file.stem, {})
            for type_name, found in srsly.read_json(file).items():
                if found:
                    by_path[taxonomy.resolve(type_name)] = list(found)
        if not names:
            why = "no <language>.json files"
            message = Errors.C031.format(
                path=path,
                name="the lexicon",
                why=why,
            )
            raise CascadeFileNotFoundError(message)
        return cls(
            names,
            rate=rate,
            invent=invent,
        )

    def learn(self, docs: Iterable[Doc]) -> None:
        """Add the gold mentions of a corpus (the training split!) to the names."""
        for doc in docs:
            by_path = self.names.setdefault(language_of(doc), {})
            for start, end, path in gold_chars(doc):
                names = by_path.setdefault(path, [])
                names.append(doc.text[start:end])

    def name_list(
        self,
        nlp: Language,
        rng: Randomness = random,
        *,
        size: int = 8,
    ) -> Doc:
        """A gold Doc that is nothing but a list of names of one language.

        It holds many mentions at little cost. A model learns the names themselves from it.
        """
        language = rng.choice(sorted(self.names))
        paths = sorted(self.names[language])
        comma = "、" if language in _UNSPACED else ", "
        text = ""
        mentions: list[CharMention] = []
        for _ in range(size):
            path = rng.choice(paths)
            name = rng.choice(self.names[language][path])
            if text:
                text += comma
            start = len(text)
            text += name
            mentions.append((start, len(text), path))
        return gold_doc(nlp, text, mentions)

    def __call__(
        self,
        nlp: Language,
        reference: Doc,
        rng: Randomness = random,
    ) -> Doc | None:
        """RETURNS (Optional[Doc]): A new gold Doc, or None if nothing was replaced."""
        if missing_ranges(reference):
            return None  # a new Doc would say that there is nothing else
        gold = gold_chars(reference)
        outermost = _outermost(gold)
        if not all(_holder(outermost, start, end) for start, end, _ in gold):
            return None  # mentions that cross each other can't be moved apart

        changed = self._new_names(
            language_of(reference),
            gold,
            outermost,
            rng,
        )
        if not changed:
            return None
        new = _rewritten(reference.text, outermost, changed)
        mentions = _moved(
            gold,
            outermost,
            changed,
            new.places,
        )
        doc = gold_doc(
            nlp,
            new.text,
            mentions,
            like=reference,
        )

        # A name may melt into its neighbour ("X" before "." becomes the token "X."):
        # then leave the sentence alone.
        for place in changed:
            if doc.char_span(*new.places[place]) is None:
                return None
        return doc

    def _new_names(
        self,
        language: str,
        gold: Sequence[CharMention],
        outermost: Sequence[CharMention],
        rng: Randomness,
    ) -> dict[Range, str]:
        """Other names for some of the outermost mentions, by their places."""
        if not self.names.get(language):
            language = ANY_LANGUAGE
        by_path = self.names.get(language) or {}
        changed: dict[Range, str] = {}
        for start, end, path in outermost:
            names = by_path.get(path)
            if not names or _holds_others(gold, start, end):
                continue
            if rng.random() >= self.rate:
                continue
            name = rng.choice(names)
            if rng.random() < self.invent:
                name = self._invented(language, name, rng)
            changed[start, end] = name
        return changed

    def _invented(
        self,
        language: str,
        name: str,
        rng: Randomness,
    ) -> str:
        """Long words get the beginning of another name.

        A word is long with four letters or more, without spaces between words with two.
        """
        stems = self._stems_of(language)
        words = []
        for word in name.split(" "):
            parts = characters(word)
            cased = word[:1].isupper() or word[:1].islower()
            long = len(parts) > (3 if cased else 1)
            if is_letters(word) and long and stems and rng.random() < _NEW_WORDS:
                stem = characters(rng.choice(stems))
                word = _with_beginning(word, parts, stem)
            words.append(word)
        return " ".join(words)

    def _stems_of(self, language: str) -> list[str]:
        """Words that invented names may begin like."""
        if language not in self._stems:
            names = itertools.chain(*self.names[language].values())
            words = {word for word in " ".join(names).split() if is_letters(word)}
            stems = [word for word in words if len(word) > 2 or not word.isascii()]
            self._stems[language] = sorted(stems)
        return self._stems[language]


def _with_beginning(
    word: str,
    parts: Sequence[str],
    stem: Sequence[str],
) -> str:
    """The first half of a stem and the second half of a word, cased as the word is."""
    kept = parts[len(parts) - len(parts) // 2 :]
    begin = stem[: max(1, (len(stem) + 1) // 2)]
    new = "".join(begin).lower() + "".join(kept).lower()
    if word.isupper():
        return new.upper()
    return new.capitalize() if word[0].isupper() else new


def _outermost(gold: Sequence[CharMention]) -> list[CharMention]:
    """Of mentions that overlap the longest."""
    ranges = [(start, end, 1.0) for start, end, _ in gold]
    return [gold[i] for i in fuse(ranges)]


def _holder(
    outermost: Iterable[CharMention],
    start: int,
    end: int,
) -> Range | None:
    """The place of the outermost mention that holds this range."""
    for outer_start, outer_end, _ in outermost:
        if outer_start <= start and end <= outer_end:
            return outer_start, outer_end
    return None


def _holds_others(
    gold: Iterable[CharMention],
    start: int,
    end: int,
) -> bool:
    for inner_start, inner_end, _ in gold:
        inside = start <= inner_start and inner_end <= end
        if inside and (inner_start, inner_end) != (start, end):
            return True
    return False


def _rewritten(
    text: str,
    outermost: Iterable[CharMention],
    changed: Mapping[Range, str],
) -> Rewritten:
    """The text with the new names in their places."""
    new = ""
    places: dict[Range, Range] = {}
    done = 0
    for start, end, _ in outermost:
        new += text[done:start]
        name = changed.get((start, end), text[start:end])
        places[start, end] = (len(new), len(new) + len(name))
        new += name
        done = end
    return Rewritten(new + text[done:], places)


def _moved(
    gold: Iterable[CharMention],
    outermost: Sequence[CharMention],
    changed: Mapping[Range, str],
    places: Mapping[Range, Range],
) -> Iterator[CharMention]:
    """The gold mentions in the new text, without those inside of changed ones."""
    for start, end, path in gold:
        if (start, end) in places:
            yield (*places[start, end], path)
            continue
        outer = _holder(outermost, start, end)
        if outer is not None and outer not in changed:
            shift = places[outer][0] - outer[0]
            yield start + shift, end + shift, path


def gold_doc(
    nlp: Language,
    text: str,
    mentions: Iterable[CharMention],
    *,
    like: Doc | None = None,
) -> Doc:
    """A gold Doc from character spans; mentions are widened to whole tokens.

    like (Optional[Doc]): Its `user_data` is taken over.
    """
    doc = nlp.make_doc(text)
    spans = []
    paths = []
    for start, end, path in mentions:
        label = path[-1] if path else ""
        span = doc.char_span(
            start,
            end,
            label=label,
            alignment_mode="expand",
        )
        if span is not None:
            spans.append(span)
            paths.append(format_path(path))
    attrs = {"paths": paths}
    doc.spans[GOLD_KEY] = SpanGroup(
        doc,
        name=GOLD_KEY,
        spans=spans,
        attrs=attrs,
    )
    flat = fuse((span.start, span.end, 1.0) for span in spans)
    doc.set_ents([spans[i] for i in flat])
    if like is not None:
        doc.user_data.update(like.user_data)
    return doc


def language_of(doc: Doc) -> str:
    """Language code that the conversion noted, or ''."""
    record = doc.user_data.get("cascade_record") or {}
    return record.get("language") or ANY_LANGUAGE


@augmenters("spacy-cascade.MentionReplacement.v1")
def mention_replacement(
    path: str,
    rate: float = 0.5,
    taxonomy: Taxonomy | None = None,
) -> Callable[[Language, Example], Iterator[Example]]:
    """An augmenter for `spacy train`: yields every example, and beside it one with other names.

    path (str): Directory of `<language>.json` lexicons.
    rate (float): Chance of each mention to be replaced.
    taxonomy (Optional[Taxonomy]): The types that the lexicon's names belong to (default:
        DynamicNER's).
    """
    known = taxonomy or builtin("dynamicner")
    replacer = MentionReplacer.from_dir(path, known, rate=rate)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        yield example
        reference = replacer(nlp, example.reference)
        if reference is not None:
            yield Example(nlp.make_doc(reference.text), reference)

    return augment
