"""Output on consoles and pipes of any encoding."""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
from collections.abc import Callable

_ESCAPE = "spacy-cascade.escape"
# Colours and styles, none of which hides a text.
_STYLE = r"(?:[34]8;5;\d{1,3}|[34]8;2;\d{1,3};\d{1,3};\d{1,3}|[2349]?[0-7])"
# They, and the line that a progress bar goes up to, may pass. Other control characters
# than tabs and line ends could move the cursor, or change the terminal's title or
# clipboard.
_CONTROL = re.compile(
    rf"(?P<own>\x1b\[(?:{_STYLE}(?:;{_STYLE})*)?m|\x1b\[A)"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)"
)


def neutralize(text: str, *, bars: bool = False) -> str:
    r"""A text whose control characters are shown as JSON writes them (\u001b), so that
    JSON stays JSON.

    bars (bool): Let a return at the beginning pass, by which a progress bar is drawn anew.
    """
    begin = 1 if bars and text.startswith("\r") else 0
    return text[:begin] + _CONTROL.sub(_shown, text[begin:])


def _shown(match: re.Match[str]) -> str:
    return match[0] if match["own"] else f"\\u{ord(match[0]):04x}"


def _escape(err: UnicodeError) -> tuple[str, int]:
    """As JSON writes a character, so that what is printed as JSON stays JSON."""
    if not isinstance(err, UnicodeEncodeError):
        raise err
    return json.dumps(err.object[err.start : err.end])[1:-1], err.end


codecs.register_error(_ESCAPE, _escape)


def safe_output() -> None:
    r"""From now on print control characters of data as escapes (see `neutralize`), and
    so what the encoding of stdout or stderr lacks, instead of ending in an error: on
    Windows a redirected output often knows 256 characters only.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPE)
            if "write" not in vars(stream):
                vars(stream)["write"] = _writer(stream.write, bars=stream is sys.stderr)


def _writer(write: Callable[[str], int], *, bars: bool) -> Callable[[str], int]:
    def write_safely(text: str) -> int:
        write(neutralize(text, bars=bars))
        return len(text)

    return write_safely
