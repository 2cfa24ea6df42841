"""Fill the tables of pages that come from the code.

    python docs/tools/code_tables.py            # README.md, CONTRIBUTING.md and all of docs
    python docs/tools/code_tables.py --check    # fail if a table is not what the code says

A table stands between a mark and `<!-- end -->`:

    <!-- options: cascade_extractor -->            options of a component
    <!-- options: causal_lms HF.v1 -->             arguments of a registered function
    <!-- modules: spacy_cascade -->                modules of a package, one row for each

Defaults come from the factory or the signature, meanings from the docstrings.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import spacy
from docstrings import parameters, summary
from spacy.language import Language
from spacy.util import registry

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
# Where the docstring of a component stands.
COMPONENTS = {
    "cascade_extractor": "spacy_cascade.pipeline.extractor:CascadeExtractor",
    "cascade_classifier": "spacy_cascade.pipeline.classifier:CascadeClassifier",
    "open_ner": "spacy_cascade.pipeline.open_ner:OpenNER",
    "gpt_ner": "spacy_cascade.baselines.components:GPTNER",
    "prompt_ner": "spacy_cascade.baselines.components:PromptNER",
    "span_fuser": "spacy_cascade.baselines.components:SpanFuser",
}
_PREFIX = "spacy-cascade."
_TABLE = re.compile(
    r"(<!-- (options|modules): ([^>]+) -->)\n.*?(<!-- end -->)", re.DOTALL
)
_FIRST_SENTENCE = re.compile(r"(.+?(?<!\d)[.?!])(?:\s|$)", re.DOTALL)
_REQUIRED = inspect.Parameter.empty

# Default and meaning, by the name of the option.
Options = dict[str, tuple[object, str]]


def component_options(factory: str) -> Options:
    """Default and meaning of every option of a factory.

    RAISES LookupError: If the docstrings don't explain an option.
    """
    module, _, name = COMPONENTS[factory].partition(":")
    component = getattr(importlib.import_module(module), name)
    spacy.blank("xx").add_pipe(factory)  # now the factory is known to spaCy
    defaults = dict(Language.get_factory_meta(factory).default_config)
    return _explained(factory, defaults, _meanings(component, defaults))


def function_options(kind: str, name: str) -> Options:
    """Default and meaning of every argument of a registered function.

    RAISES LookupError: If the docstring doesn't explain an argument.
    """
    importlib.import_module("spacy_cascade.registry")
    function = getattr(registry, kind).get(_PREFIX + name)
    signature = inspect.signature(function).parameters
    defaults = {option: value.default for option, value in signature.items()}
    return _explained(name, defaults, _meanings(function, defaults))


def _meanings(
    source: Callable[..., object], defaults: Mapping[str, object]
) -> dict[str, str]:
    """What docstrings say; those of a class count more than those of its bases."""
    classes = source.__mro__ if isinstance(source, type) else (source,)
    meanings: dict[str, str] = {}
    for base in reversed(classes):
        meanings |= parameters(base.__doc__, defaults)
    return meanings


def _explained(
    name: str, defaults: Mapping[str, object], meanings: Mapping[str, str]
) -> Options:
    missing = [option for option in defaults if option not in meanings]
    if missing:
        raise LookupError(f"{name}: no docstring explains {', '.join(missing)}")
    return {option: (value, meanings[option]) for option, value in defaults.items()}


def shown(value: object) -> str:
    """A default as it stands in a config."""
    if value is _REQUIRED:
        return "required"
    if isinstance(value, Mapping):
        registered = [v for k, v in value.items() if k.startswith("@")]
        if registered:
            return f"`{registered[0].removeprefix(_PREFIX)}`"
        pairs = [f"`{k}` {v}" for k, v in value.items()]
        return ", ".join(pairs)
    if isinstance(value, tuple):
        value = list(value)
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def options_table(name: str) -> str:
    """Options of a factory (`open_ner`) or of a function (`causal_lms HF.v1`)."""
    kind, _, function = name.partition(" ")
    options = function_options(kind, function) if function else component_options(kind)
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for option, (default, meaning) in options.items():
        text = meaning.replace("|", "\\|")
        rows.append(f"| `{option}` | {shown(default)} | {text} |")
    return "\n".join(rows)


def modules_table(package: str) -> str:
    """One row for each module of a package, with its docstring's first sentence.

    RAISES LookupError: If a module has no docstring.
    """
    rows = ["| module | what it holds |", "|---|---|"]
    for path in _modules(ROOT / package):
        tree = ast.parse(path.read_text("utf8"))
        text = summary(ast.get_docstring(tree))
        name = path.relative_to(ROOT).as_posix()
        if not text:
            raise LookupError(f"{name} has no docstring")
        first = _FIRST_SENTENCE.match(text)
        rows.append(f"| `{name}` | {first[1] if first else text} |")
    return "\n".join(rows)


def _modules(folder: Path) -> Iterator[Path]:
    """A folder's own modules first. Special ones, such as `__init__`, are left out."""
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("__"):
            yield path
    for child in sorted(folder.iterdir()):
        if child.is_dir() and (child / "__init__.py").exists():
            yield from _modules(child)


TABLES = {"options": options_table, "modules": modules_table}


def fill(text: str) -> str:
    """A page with its tables as the code has them."""

    def filled(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]](match[3])}\n{match[4]}"

    return _TABLE.sub(filled, text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()

    for page in PAGES:
        old = page.read_text("utf8")
        new = fill(old)
        if new == old:
            continue
        if args.check:
            sys.exit(f"{page} is not what the code says. Run: make docs")
        page.write_text(new, "utf8")


if __name__ == "__main__":
    main()
