from __future__ import annotations

from corpus_tools.cli import app


def main() -> None:
    """Entry point of `corpus-tools`."""
    app(prog_name="corpus_tools")


if __name__ == "__main__":
    main()
