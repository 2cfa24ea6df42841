"""HTML pages in one file, which load nothing and run nothing but what they are written with."""

from __future__ import annotations

import base64
import hashlib
from html import escape


def html_page(*, title: str, css: str, body: str, script: str = "") -> str:
    """A page whose content security policy allows this style and this script, by their
    hashes, alone.

    title (str): Text. body (str): HTML: whatever comes from data has to be escaped in it.
    css, script (str): Must not depend on data.
    RETURNS (str): A whole page. What UTF-8 can't hold (lone surrogates) is shown as a
        question mark.
    """
    policy = {
        "default-src": "'none'",
        "style-src-elem": _hash(css),
        # widths of bars; they can load nothing
        "style-src-attr": "'unsafe-inline'",
        "script-src": _hash(script) if script else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    content = "; ".join(f"{name} {value}" for name, value in policy.items())
    heading = escape(title)
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{content}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{heading}</title><style>{css}</style></head><body><h1>{heading}</h1>{body}"
        + (f"<script>{script}</script>" if script else "")
        + "</body></html>\n"
    )
    return page.encode("utf8", "replace").decode("utf8")


def _hash(text: str) -> str:
    """As a policy names an inline style or script."""
    digest = hashlib.sha256(text.encode("utf8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
