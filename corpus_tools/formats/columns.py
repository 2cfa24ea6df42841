"""Lines of columns: how they are separated, and the lines that hold no token."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..files import open_text

DOCSTART = "-DOCSTART-"
# What may be no token: `# ...`, `% ...`, `// ...`, `;; ...`, the rule of a Markdown
# table, and marks of sentences and documents, `<s>`.
_COMMENT = re.compile(r"\s*(?:#|(?:%+|//+|;;+)\s+\S|[|: -]*-[|: -]*\|[|: -]*$)")
_MARKUP = re.compile(r"\s*</?[A-Za-z][^<>]*>\s*")
_BOM = "\ufeff"
_BLANKS = re.compile("[ \t]+")
_ALL_BLANKS = re.compile("[ \t\u00a0\u2007\u202f\u3000]+")

_RETURN = re.compile("\r")
_OTHER_ENDS = re.compile("[\r\x85\u2028\u2029]")

Row = list[str]


@dataclass(frozen=True)
class Separator:
    """What stands between columns.

    split (Callable): Gives the rows of a line: one, or where a line is a sentence, one per token.
    plain (bool): Whether tags without prefixes are looked for; other files are tables of all kinds.
    """

    name: str
    split: Callable[[str], list[Row]]
    plain: bool = False
    sentence_per_line: bool = False


def _tabs(line: str) -> list[Row]:
    cells = line.split("\t") if "\t" in line else _BLANKS.split(line.strip(" "))
    return [_stripped(cells)]


def _spaces(line: str) -> list[Row]:
    return [_BLANKS.split(line.strip(" \t"))]


def _last_space(line: str) -> list[Row]:
    return [line.strip(" \t").rsplit(None, 1)]


def _all_spaces(line: str) -> list[Row]:
    return [_stripped(_ALL_BLANKS.split(line))]


def _pipe(line: str) -> list[Row]:
    return [_stripped(line.strip(" \t").split("|"))]


def _values(separator: str) -> Callable[[str], list[Row]]:
    def split(line: str) -> list[Row]:
        try:
            (cells,) = csv.reader([line], delimiter=separator, strict=False)
        except (csv.Error, ValueError):
            cells = [line]
        if (
            len(cells) == 1 and separator in line
        ):  # a lone quotation mark is no quotation
            cells = line.rsplit(separator, 1)
        if len(cells) == 3 and line.startswith(
            2 * separator
        ):  # the token is the separator
            cells = [separator, cells[2]]
        return [_stripped(cells)]

    return split


def _pairs(separator: str) -> Callable[[str], list[Row]]:
    def split(line: str) -> list[Row]:
        items = _BLANKS.split(line.strip(" \t"))
        return [_pair(item, separator) for item in items]

    return split


def _pair(item: str, separator: str) -> Row:
    """Token and tag of `word|tag` or `word|pos|tag`; a token may hold the separator."""
    cells = item.split(separator)
    if len(cells) > 2 and not cells[0]:
        return [separator, cells[-1]]
    return cells


def _stripped(cells: Row) -> Row:
    """Without blanks around the cells, unless a cell is a blank, and without empty cells behind the
    last one that holds something."""
    cells = [cell.strip(" ") or cell[:1] for cell in cells]
    while len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return cells


# The first one by which most lines are understood is taken. "blank": tabs in lines that hold one,
# else spaces.
SEPARATORS = {
    one.name: one
    for one in (
        Separator("blank", _tabs, plain=True),
        Separator("space", _spaces, plain=True),
        Separator("last space", _last_space),
        Separator("comma", _values(",")),
        Separator("semicolon", _values(";")),
        Separator("word|tag", _pairs("|"), sentence_per_line=True),
        Separator("word/tag", _pairs("/"), sentence_per_line=True),
        Separator("pipe", _pipe),
        Separator("any space", _all_spaces, plain=True),
    )
}


def iter_lines(path: Path, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """Numbers, from 1, and lines without their ends. A carriage return inside a line ends a line
    too, and in a file without line feeds, so do Unicode's line ends.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T008 and T084 for the encoding.
    """
    number = 0
    with open_text(path, encoding) as file:
        for line in file:
            ends = _OTHER_ENDS if number == 0 and not line.endswith("\n") else _RETURN
            line = line.rstrip("\r\n")
            for part in ends.split(line) if ends.search(line) else [line]:
                number += 1
                yield number, part.removeprefix(_BOM)


def is_blank(line: str, separator: Separator) -> bool:
    return not any(cell.strip() for row in separator.split(line) for cell in row)


def may_be_comment(line: str) -> bool:
    """Whether a line is no token, unless it has the columns of one."""
    return bool(_COMMENT.match(line)) or is_markup(line)


def is_markup(line: str) -> bool:
    """Whether a line is a tag of XML, which stands between sentences."""
    return bool(_MARKUP.fullmatch(line))


def is_document(line: str) -> bool:
    """Whether a new document starts here: `-DOCSTART-`, alone or with columns behind it."""
    return line.lstrip(' \t"').startswith(DOCSTART)
