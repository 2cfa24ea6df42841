"""Tag sequences of the BIO family: IOB1, IOB2, BIOES, and IO without prefixes. How files spell
their tags: see `spelling.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import CorpusError, Errors

SCHEMES = ("iob1", "iob2", "bioes")
IO = "io"  # read only: neighbours of one type can't be told apart
OUTSIDE = "O"
Tokens = tuple[int, int, str]  # first token, behind the last token, type
# BILOU and BMEWO are BIOES with other letters.
_LETTERS = {
    "B": "B",
    "I": "I",
    "M": "I",
    "E": "E",
    "L": "E",
    "S": "S",
    "U": "S",
    "W": "S",
}


def split_tag(tag: str) -> tuple[str, str] | None:
    """'B-person name' -> ('B', 'person name'); 'O' -> ('O', ''); None if it is no tag
    of the family.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    letter, dash, label = tag.partition("-")
    if letter not in _LETTERS or not dash or not label.strip():
        return None
    return _LETTERS[letter], label


def detect_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """IOB1 writes B only between neighbours of one type, IOB2 at every start, BIOES has E and S."""
    starts_b = starts_i = 0
    for tags in sentences:
        before = (OUTSIDE, "")
        for tag in tags:
            now = split_tag(tag) or (OUTSIDE, "")
            if now[0] in ("E", "S"):
                return "bioes"
            if now[1] and (before[0] == OUTSIDE or before[1] != now[1]):
                starts_b += now[0] == "B"
                starts_i += now[0] == "I"
            before = now
    return "iob1" if starts_i > starts_b else "iob2"


def check_scheme(scheme: str, known: Sequence[str] = SCHEMES) -> None:
    """RAISES CorpusError: T003."""
    if scheme not in known:
        choices = ", ".join(known)
        raise CorpusError(
            Errors.T003.format(option="scheme", value=scheme, choices=choices)
        )


def decode(
    tags: Sequence[str], scheme: str
) -> tuple[list[Tokens], list[tuple[int, str]], list[int]]:
    """Reads a sequence, also an invalid one.

    RETURNS (tuple): The mentions as token ranges; repairs as (token, reason); tokens
        whose tag can't be read at all (they count as outside).
    RAISES CorpusError: T003 for an unknown scheme.
    """
    check_scheme(scheme)
    found: list[Tokens] = []
    repairs: list[tuple[int, str]] = []
    unreadable: list[int] = []
    start, label, closed = 0, "", True

    def close(end: int) -> None:
        nonlocal closed
        if not closed:
            found.append((start, end, label))
        closed = True

    for i, tag in enumerate(tags):
        parts = split_tag(tag)
        if parts is None:
            unreadable.append(i)
            parts = (OUTSIDE, "")
        letter, name = parts
        goes_on = letter in ("I", "E") and not closed and name == label
        if not goes_on:
            if not closed and scheme == "bioes":
                repairs.append(
                    (
                        i,
                        f"'{tag}' comes before the mention of type '{label}' was ended; ended here",
                    )
                )
            close(i)
            if letter in ("I", "E") and not (scheme == "iob1" and letter == "I"):
                repairs.append(
                    (i, f"'{tag}' continues no mention of its type; read as a start")
                )
            if name:
                start, label, closed = i, name, False
        if letter in ("E", "S"):
            close(i + 1)
    if not closed and scheme == "bioes":
        repairs.append(
            (
                len(tags) - 1,
                f"the mention of type '{label}' is not ended; ended with the sentence",
            )
        )
    close(len(tags))
    return found, repairs, unreadable


def encode(length: int, mentions: Iterable[Tokens], scheme: str) -> list[str]:
    """Tags of a sentence; the mentions must not overlap.

    RAISES CorpusError: T003 for an unknown scheme.
    """
    check_scheme(scheme)
    tags = [OUTSIDE] * length
    before: Tokens = (0, -1, "")
    for mention in sorted(mentions):
        start, end, label = mention
        first, last = "B", "I"
        if scheme == "iob1":
            first = "B" if before[1] == start and before[2] == label else "I"
        elif scheme == "bioes":
            first, last = ("S" if end - start == 1 else "B"), "E"
        tags[start:end] = [
            f"{first}-{label}",
            *[f"I-{label}"] * (end - start - 2),
            *[f"{last}-{label}"] * (end - start > 1),
        ]
        before = mention
    return tags
