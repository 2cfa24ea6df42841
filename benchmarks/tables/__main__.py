"""Fill the tables of the docs."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import RUNS, fill_pages
from . import __doc__ as about

parser = argparse.ArgumentParser(
    description=about, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument(
    "pages",
    type=Path,
    nargs="*",
    help="all of docs if none",
)
parser.add_argument("--runs", type=Path, default=RUNS)
parser.add_argument("--check", action="store_true")
args = parser.parse_args()
fill_pages(args.pages, args.runs, check=args.check)
