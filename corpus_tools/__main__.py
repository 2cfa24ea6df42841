from __future__ import annotations

from corpus_tools.cli import app
from spacy_cascade.console import safe_output


def main() -> None:
    """Entry point of `corpus-tools`."""
    safe_output()
    app(prog_name="corpus_tools")


if __name__ == "__main__":
    main()
