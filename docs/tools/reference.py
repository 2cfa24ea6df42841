"""Write the API reference, as HTML, from the docstrings.

python docs/tools/reference.py             # into docs/reference/html
python docs/tools/reference.py OUTPUT
"""

from __future__ import annotations

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc
from docstrings import as_markdown
from jinja2 import pass_context
from jinja2.runtime import Context
from pdoc import render
from pdoc.render_helpers import to_markdown_with_context

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "docs/reference/html"


@pass_context
def _to_markdown(context: Context, docstring: str) -> str:
    """pdoc knows several styles of docstrings, but not spaCy's."""
    return to_markdown_with_context(context, as_markdown(docstring))


def modules(package: str) -> list[str]:
    """Names of a package and of all that is in it.

    pdoc would leave out what `__all__` of a package does not name.
    """
    path = [str(ROOT / package)]
    found = pkgutil.walk_packages(path, prefix=f"{package}.")
    return [package, *(module.name for module in found)]


def build(output: Path, package: str) -> None:
    """Write a page for each module of a package."""
    render.configure(docformat="markdown", show_source=False)
    render.env.filters["to_markdown"] = _to_markdown
    with warnings.catch_warnings():
        # annotations that are evaluated only where types are checked
        warnings.filterwarnings("ignore", message="Error parsing type annotation")
        # of packages without `__all__` pdoc finds the modules by itself
        warnings.filterwarnings("ignore", message="The module specification")
        pdoc.pdoc(*modules(package), output_directory=output)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    build(target, "spacy_cascade")
    print(f"The API reference is in {target / 'index.html'}")
