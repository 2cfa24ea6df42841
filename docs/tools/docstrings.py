"""Reading docstrings in spaCy's style.

name (type): What it means.
other (int), another (int): One text for both.
RETURNS (float): What comes back.
RAISES CascadeError: C021 if ...
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection

_NAME = r"\w+(?: \((?:[^()]|\([^()]*\))*\))?"
# `name (type): text`, or several names with one text
_PARAMETERS = re.compile(rf"^ *({_NAME}(?:, {_NAME})*): +(\S.*)$")
_RESULT = re.compile(r"^ *(RETURNS|YIELDS|RAISES)\b ?(\([^)]*\)|[\w.]+)?:? *(.*)$")
_TYPE = re.compile(r" \((?:[^()]|\([^()]*\))*\)")


def _names(group: str) -> list[str]:
    return _TYPE.sub("", group).split(", ")


def parameters(docstring: str | None, known: Collection[str]) -> dict[str, str]:
    """What a docstring says about parameters.

    known (Collection[str]): Names of parameters. Other lines with a colon are text.
    RETURNS (dict[str, str]): The text of each, on one line.
    """
    found: dict[str, str] = {}
    current: list[str] = []

    for line in inspect.cleandoc(docstring or "").splitlines():
        match = _PARAMETERS.match(line)
        names = _names(match[1]) if match else []
        if match and all(name in known for name in names):
            current = names
            found.update(dict.fromkeys(current, match[2]))
        elif not line.strip() or _RESULT.match(line):
            current = []
        else:
            for name in current:
                found[name] += " " + line.strip()

    return found


def summary(docstring: str | None) -> str:
    """The first paragraph, on one line."""
    paragraph = inspect.cleandoc(docstring or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def as_markdown(docstring: str, known: Collection[str] = ()) -> str:
    """The docstring with parameters and results as a list.

    known (Collection[str]): Names of parameters. If there are none, every
        `name (type): text` is one.
    """
    out: list[str] = []
    for line in inspect.cleandoc(docstring).splitlines():
        match = _PARAMETERS.match(line)
        result = _RESULT.match(line)
        if result:
            kind = " ".join(part for part in (result[1], result[2]) if part)
            out.append(f"* **{kind}**: {result[3]}")
        elif match and _is_parameter(match[1], known):
            out.append(f"* {_marked(match[1])}: {match[2]}")
        else:
            out.append(line)
    return "\n".join(_with_blank_lines(out))


def _is_parameter(group: str, known: Collection[str]) -> bool:
    if known:
        return all(name in known for name in _names(group))
    return "(" in group


def _marked(group: str) -> str:
    """Names as code."""
    types = [match.strip() for match in _TYPE.findall(group)]
    names = [f"`{name}`" for name in _names(group)]
    if len(types) < len(names):
        return ", ".join(names)
    return ", ".join(f"{n} {t}" for n, t in zip(names, types, strict=True))


def _with_blank_lines(lines: list[str]) -> list[str]:
    """Markdown wants one between a paragraph and a list."""
    out: list[str] = []
    for line in lines:
        starts = line.startswith("* ") and out and out[-1].strip()
        if starts and not _in_list(out):
            out.append("")
        out.append(line)
    return out


def _in_list(lines: list[str]) -> bool:
    for line in reversed(lines):
        if not line.strip():
            return False
        if line.startswith("* "):
            return True
    return False
