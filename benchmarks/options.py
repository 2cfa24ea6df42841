"""Options of the command line, from the signature of a suite's function.

A parameter `ner_steps: Annotated[int, "help"] = 3` becomes the option --ner-steps. A
sequence takes several words, a bool has a --no- form, a Literal has choices.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

# Options of several suites.
Model = Annotated[str, "pipeline: package name or directory"]
Gold = Annotated[Path, "gold DocBin"]
DataSets = Annotated[Path, "DocBins <language>/<data set>/<split>.spacy"]
Sources = Annotated[Path, "JSON file whose keys are the data sets of the training"]
RealData = Annotated[Path, "folder that holds b2nerd_style/"]
Limit = Annotated[int, "most texts of a file, spread evenly over it; 0: all"]
Seed = Annotated[int, "seed of everything that is drawn"]
Batch = Annotated[Sequence[int], "batch sizes"]
Plot = Annotated[Path | None, "figure (.png, .svg)"]
AddedTo = Annotated[Path | None, "JSON file that results are added to"]
Clock = Annotated[Literal["wall", "cpu"], "cpu: for one thread on a busy machine"]
Replace = Annotated[
    float, "share of the mentions that are replaced by others of their type"
]
Adapter = Annotated[
    Literal["full", "lora"], "what is trained: all weights, or adapters"
]


def add(parser: argparse.ArgumentParser, function: Callable[..., Any]) -> None:
    """Add an option for each parameter of a function."""
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        required = parameter.default is parameter.empty
        settings = _settings(hints[name])
        settings["required"] = required
        if not required:
            settings["default"] = parameter.default
            settings["help"] += _default(parameter.default)
        # argparse formats the text.
        settings["help"] = settings["help"].replace("%", "%%")
        option = name.replace("_", "-")
        parser.add_argument(f"--{option}", **settings)


def _default(value: Any) -> str:
    """What the help says of a default."""
    if value is None or value == "":
        return ""
    return f" (default: {_words(value)})"


def _words(value: Any) -> str:
    """A default; of absolute paths only the last part."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(_words, value))
    absolute = isinstance(value, Path) and value.is_absolute()
    return value.name if absolute else str(value)


def _settings(hint: Any) -> dict[str, Any]:
    """What argparse is to know of a type."""
    if get_origin(hint) is Annotated:
        inner, about = get_args(hint)
        return _settings(inner) | {"help": about}
    known = {"help": ""}
    if hint is bool:
        return {**known, "action": argparse.BooleanOptionalAction}
    if get_origin(hint) is Literal:
        return {**known, "choices": get_args(hint)}
    if get_origin(hint) in (list, Sequence):
        return {**_settings(get_args(hint)[0]), "nargs": "*"}
    if get_args(hint):  # X | None
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        return _settings(kinds[0])
    return {**known, "type": hint}
