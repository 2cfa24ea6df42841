"""The group of commands `spacy cascade`."""

from __future__ import annotations

import typer
from spacy.cli._util import app

from ..console import safe_output

cascade_app = typer.Typer(
    name="cascade",
    help="Train, score and show NER with small local LLMs (spacy-cascade).",
    no_args_is_help=True,
)


@cascade_app.callback()
def prepare() -> None:
    """Before any command."""
    safe_output()


if not any(group.name == "cascade" for group in app.registered_groups):
    app.add_typer(cascade_app)
