"""Output on consoles and pipes of any encoding."""

from __future__ import annotations

import codecs
import io
import json
import sys

_ESCAPE = "spacy-cascade.escape"


def _escape(err: UnicodeError) -> tuple[str, int]:
    """As JSON writes a character, so that what is printed as JSON stays JSON."""
    if not isinstance(err, UnicodeEncodeError):
        raise err
    return json.dumps(err.object[err.start : err.end])[1:-1], err.end


codecs.register_error(_ESCAPE, _escape)


def escape_unknown() -> None:
    r"""From now on print what the encoding of stdout or stderr lacks as an escape (\u674e),
    instead of ending in an error: on
    Windows a redirected output often knows 256 characters only."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPE)
