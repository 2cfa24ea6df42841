"""`python -m corpus_tools fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..fetch import fetch
from .frame import messages, print_json, print_targets
from .options import DryRun, Json


def fetch_cli(
    name: Annotated[str, typer.Argument(help="dynamicner or b2nerd")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="Directory")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Download a corpus from the Hugging Face hub."""
    if dry_run:
        print_targets({name: str(target)}, as_json)
        return
    with messages():
        folder = fetch(name, target)
    if as_json:
        print_json({"name": name, "target": str(folder)})
    else:
        msg.good(f"{name} is in {folder}")
