"""Mention replacement: a sentence with other names of the same type is another sentence
to learn from.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example
from spacy.util import registry

from ..doc.annotations import fuse
from ..doc.gold import gold_chars
from ..doc.missing import GOLD_KEY, missing_ranges
from ..doc.words import characters, is_letters
from ..errors import CascadeFileNotFoundError, Errors
from ..taxonomy import Taxonomy, TypePath, format_path

ANY = ""


class MentionReplacer:
    """Puts other names of the same language and type in the place of gold mentions.

    names (dict): language -> label path -> names. Names under the language "" fit every language.
    rate (float): Chance of each mention to be replaced. Mentions that contain others stay.
    invent (float): Share of the replacements that are invented names: a known name of
        the type, whose words get new beginnings. They can't be learned by heart, so the
        model has to read the context and the endings of words.
    """

    def __init__(
        self,
        names: dict[str, dict[TypePath, list[str]]],
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

        RAISES CascadeFileNotFoundError: C031 if the directory holds none. CascadeError:
            C001 for an unknown type.
        """
        names: dict[str, dict[TypePath, list[str]]] = {}
        for file in sorted(Path(path).glob("*.json")):
            data = srsly.read_json(file)
            names[file.stem] = {
                taxonomy.resolve(t): list(v) for t, v in data.items() if v
            }
        if not names:
            raise CascadeFileNotFoundError(
                Errors.C031.format(
                    path=path, name="the lexicon", why="no <language>.json files"
                )
            )
        return cls(names, rate=rate, invent=invent)

    def learn(self, docs: Iterable[Doc]) -> None:
        """Add the gold mentions of a corpus (the training split!) to the names."""
        for doc in docs:
            by_path = self.names.setdefault(language_of(doc), {})
            for start, end, path in gold_chars(doc):
                names = by_path.setdefault(path, [])
                names.append(doc.text[start:end])

    def name_list(self, nlp: Language, rng: Any = random, *, size: int = 8) -> Doc:
        """A gold Doc that is nothing but a list of names of one language: many mentions
        at little cost, from which a model learns the names themselves.
        """
        language = rng.choice(sorted(self.names))
        paths = sorted(self.names[language])
        comma = "、" if language in ("zh", "ja") else ", "
        text, mentions = "", []
        for _ in range(size):
            path = rng.choice(paths)
            name = rng.choice(self.names[language][path])
            text += comma if text else ""
            mentions.append((len(text), len(text) + len(name), path))
            text += name
        return gold_doc(nlp, text, mentions)

    def _invented(self, language: str, name: str, rng: Any) -> str:
        """Words of four letters or more (two without spaces between words) get the
        beginning of another name.
        """
        stems = self._stems.get(language)
        if stems is None:
            names = itertools.chain(*self.names[language].values())
            words = {w for w in " ".join(names).split() if is_letters(w)}
            stems = self._stems[language] = sorted(
                w for w in words if len(w) > 2 or not w.isascii()
            )
        out = []
        for word in name.split(" "):
            spaced = word[:1].isupper() or word[:1].islower()
            parts = characters(word)
            long = len(parts) > (3 if spaced else 1)
            if is_letters(word) and long and stems and rng.random() < 0.7:
                stem, keep = characters(rng.choice(stems)), len(parts) // 2
                begin = "".join(stem[: max(1, (len(stem) + 1) // 2)])
                new = begin.lower() + "".join(parts[len(parts) - keep :]).lower()
                word = (
                    new.upper()
                    if word.isupper()
                    else new.capitalize()
                    if word[0].isupper()
                    else new
                )
            out.append(word)
        return " ".join(out)

    def __call__(self, nlp: Language, reference: Doc, rng: Any = random) -> Doc | None:
        """RETURNS (Optional[Doc]): A new gold Doc, or None if nothing was replaced."""
        if missing_ranges(reference):
            return None  # a new Doc would say that there is nothing else
        gold = gold_chars(reference)
        top = [gold[i] for i in fuse((s, e, 1.0) for s, e, _ in gold)]
        if not all(
            any(s <= start and end <= e for s, e, _ in top) for start, end, _ in gold
        ):
            return None  # mentions that cross each other can't be moved apart
        language = (
            language_of(reference) if self.names.get(language_of(reference)) else ANY
        )
        by_path = self.names.get(language) or {}
        changed: dict[tuple[int, int], str] = {}
        for start, end, path in top:
            inner = any(
                start <= s and e <= end and (s, e) != (start, end) for s, e, _ in gold
            )
            names = by_path.get(path)
            if names and not inner and rng.random() < self.rate:
                name = rng.choice(names)
                changed[start, end] = (
                    self._invented(language, name, rng)
                    if rng.random() < self.invent
                    else name
                )
        if not changed:
            return None
        pieces, spans, at, out = [], [], 0, 0
        moved = {}
        for start, end, _ in top:
            before = reference.text[at:start]
            name = changed.get((start, end), reference.text[start:end])
            pieces += [before, name]
            out += len(before)
            moved[start, end] = (out, out + len(name))
            out += len(name)
            at = end
        pieces.append(reference.text[at:])
        for start, end, path in gold:
            if (start, end) in moved:
                spans.append((*moved[start, end], path))
            else:
                outer = next((s, e) for s, e, _ in top if s <= start < e)
                shift = moved[outer][0] - outer[0]
                if outer not in changed:
                    spans.append((start + shift, end + shift, path))
        doc = gold_doc(nlp, "".join(pieces), spans, like=reference)
        # A name may melt into its neighbour ("X" before "." becomes the token "X."):
        # then leave the sentence alone.
        if any(doc.char_span(*moved[span]) is None for span in changed):
            return None
        return doc


def gold_doc(
    nlp: Language,
    text: str,
    mentions: Iterable[tuple[int, int, TypePath]],
    *,
    like: Doc | None = None,
) -> Doc:
    """A gold Doc from character spans; mentions are widened to whole tokens."""
    doc = nlp.make_doc(text)
    spans, paths = [], []
    for start, end, path in mentions:
        span = doc.char_span(
            start, end, label=path[-1] if path else "", alignment_mode="expand"
        )
        if span is not None:
            spans.append(span)
            paths.append(format_path(path))
    doc.spans[GOLD_KEY] = SpanGroup(
        doc, name=GOLD_KEY, spans=spans, attrs={"paths": paths}
    )
    doc.set_ents([spans[i] for i in fuse((s.start, s.end, 1.0) for s in spans)])
    if like is not None:
        doc.user_data.update(like.user_data)
    return doc


def language_of(doc: Doc) -> str:
    """Language code that the conversion noted, or ''."""
    record = doc.user_data.get("cascade_record") or {}
    return record.get("language") or ANY


@registry.augmenters("spacy-cascade.MentionReplacement.v1")
def mention_replacement(
    path: str, rate: float = 0.5, taxonomy: Any = None
) -> Callable[[Language, Example], Iterator[Example]]:
    """As an augmenter for `spacy train`: yields every example, and beside it one with other names.

    path (str): Directory of `<language>.json` lexicons. rate (float): Chance of each
        mention to be replaced.
    taxonomy: The types that the lexicon's names belong to (default: DynamicNER's).
    """
    from ..taxonomy import builtin

    replacer = MentionReplacer.from_dir(
        path, taxonomy or builtin("dynamicner"), rate=rate
    )

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        yield example
        reference = replacer(nlp, example.reference)
        if reference is not None:
            yield Example(nlp.make_doc(reference.text), reference)

    return augment
