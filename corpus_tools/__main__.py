from __future__ import annotations

from corpus_tools.cli import app
from spacy_cascade.console import escape_unknown


def main() -> None:
    """Entry point of `corpus-tools`."""
    escape_unknown()
    app(prog_name="corpus_tools")


if __name__ == "__main__":
    main()
