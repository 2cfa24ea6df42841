"""`python -m corpus_tools`: every command parses its arguments, calls a plain function
and prints the outcome.
"""

from __future__ import annotations

from collections.abc import Callable

import typer

from spacy_cascade.console import safe_output

from .commands.check_twins import ManyTests, check_twins_cli
from .commands.conflicts import conflicts_cli
from .commands.convert import convert_cli
from .commands.decontaminate import decontaminate_cli
from .commands.dynamic import dynamic_cli
from .commands.fetch import fetch_cli
from .commands.merge import merge_cli
from .commands.prune import prune_cli
from .commands.report import report_cli
from .commands.sample import sample_cli
from .commands.standardize import standardize_cli
from .commands.stats import stats_cli

HELP = """Corpora for named entity recognition: convert, look at, categorize, standardize, prune and
clean them.

Sources are files or directory trees in GEIC (DynamicNER), SWIFT, B2NERD, BIO/CoNLL or DocBin
format, which is found out. Each command explains itself with --help; --limit tries it on a few
records, --dry-run says what it would write, --json is for programs.
"""
app = typer.Typer(
    name="corpus_tools",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def prepare() -> None:
    """Before any command."""
    safe_output()


# How `--help` groups and orders the commands.
PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Get and convert": {
        "fetch": fetch_cli,
        "convert": convert_cli,
        "merge": merge_cli,
    },
    "Look at a corpus": {"stats": stats_cli, "report": report_cli},
    "DynamicNER: type lists of their own": {
        "dynamic": dynamic_cli,
        "sample": sample_cli,
    },
    "B2NERD: one corpus from many data sets": {
        "standardize": standardize_cli,
        "conflicts": conflicts_cli,
        "prune": prune_cli,
    },
    "Keep test data clean": {
        "check-twins": check_twins_cli,
        "decontaminate": decontaminate_cli,
    },
}
CLASSES = {"check-twins": ManyTests}

for panel, commands in PANELS.items():
    for name, command in commands.items():
        register = app.command(name, cls=CLASSES.get(name), rich_help_panel=panel)
        register(command)
