"""The options of the commands, each written once.

An option is an `Annotated` type. Options that go together are a group: a dataclass,
whose fields become options of their own (see `with_groups`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ..formats import FORMATS, written_formats

Command = Callable[..., None]


def _to_help() -> str:
    """The formats to write, the default first."""
    *most, last = sorted(written_formats(), key=lambda name: name != "docbin")
    return f"{', '.join(most)} or {last}"


FROM_HELP = "auto, or " + ", ".join(FORMATS)
TO_HELP = _to_help()

Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT", help="File or directory tree of data sets, of any format"
    ),
]
Sources = Annotated[
    list[Path],
    typer.Argument(metavar="SOURCE...", help="Files or directory trees, of any format"),
]
Target = Annotated[
    Path,
    typer.Argument(metavar="OUTPUT", help="File, or directory that mirrors the tree"),
]

FromFormat = Annotated[str, typer.Option("--from", help=FROM_HELP)]
ToFormat = Annotated[str, typer.Option("--to", help=TO_HELP)]
SpansKey = Annotated[
    str,
    typer.Option(
        "--spans-key",
        help=(
            "docbin: read doc.spans[NAME], such as spancat's 'sc', instead of gold spans or"
            " entities"
        ),
    ),
]
TokenizerLanguage = Annotated[
    str,
    typer.Option(help="docbin: language of the pipeline that tokenizes; xx: any"),
]
RecordLanguage = Annotated[
    str, typer.Option(help="Language of all records (default: by their folders)")
]
Split = Annotated[
    str, typer.Option(help="Files to take from a tree: <split>.*; '' for all")
]
PathTaxonomy = Annotated[
    str,
    typer.Option(help="'dynamicner' or a taxonomy file: resolves types to paths"),
]
AnyTaxonomy = Annotated[
    str,
    typer.Option(
        help="'dynamicner', 'universal' or a taxonomy file: resolves types to paths"
    ),
]
Embedder = Annotated[
    str,
    typer.Option(help="'hash', or a sentence-transformers model by name or directory"),
]
Licence = Annotated[str, typer.Option(help="Licence of the corpus, for the datasheet")]
# Of commands that draw nothing at random: accepted, since older scripts may give it.
Seed = Annotated[int, typer.Option(hidden=True, help="Without effect")]
Limit = Annotated[int | None, typer.Option(min=1, help="Records per file")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace earlier output")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be read and written")
]
Json = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar")]


@dataclass(frozen=True)
class Formats:
    """What is read and what is written."""

    from_format: FromFormat = "auto"
    to_format: ToFormat = "docbin"
    lang: TokenizerLanguage = "xx"


@dataclass(frozen=True)
class Output:
    """What a command does with its result."""

    overwrite: Overwrite = False
    dry_run: DryRun = False
    as_json: Json = False
    quiet: Quiet = False

    @property
    def silent(self) -> bool:
        """Whether no progress bar is shown."""
        return self.quiet or self.as_json


def split_names(text: str) -> list[str]:
    """The names of a list with commas."""
    names = (name.strip() for name in text.split(","))
    return [name for name in names if name]


def with_groups(command: Command) -> Command:
    """Makes an option of each field of a parameter that is a group."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Callable[..., Any]] = {}
    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        kind = hints[name]
        if is_dataclass(kind) and isinstance(kind, type):
            groups[name] = kind
            parameters += _parameters(kind)
        else:
            parameters.append(
                parameter.replace(annotation=kind, kind=Parameter.KEYWORD_ONLY)
            )

    @functools.wraps(command)
    def spread(**values: Any) -> None:
        for name, group in groups.items():
            own = signature(group).parameters
            values[name] = group(**{field: values.pop(field) for field in own})
        command(**values)

    annotations = {p.name: p.annotation for p in parameters}
    spread.__annotations__ = annotations
    spread.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return spread


def _parameters(group: type) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        default = Parameter.empty if field.default is MISSING else field.default
        yield Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=default,
            annotation=hints[field.name],
        )
