"""Importing must stay cheap, in one direction, and give the public names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import spacy_cascade

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "peft", "accelerate")


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


# -- Cost


def test_torch_is_absent_after_import() -> None:
    assert _run("import sys, spacy_cascade; print('torch' in sys.modules)") == "False"


def test_spacy_is_absent_after_import() -> None:
    assert _run("import sys, spacy_cascade; print('spacy' in sys.modules)") == "False"


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["taxonomy", "doc.tokenizer", "doc.annotations", "models.spec"]
)
def test_light_modules_bring_no_more_than_spacy_does(module: str) -> None:
    """thinc imports torch where it is installed; this package must not add to that."""
    heavy = f"[name for name in {HEAVY} if name in sys.modules]"
    own = _run(f"import sys, spacy_cascade.{module}; print({heavy})")
    assert own == _run(f"import sys, spacy; print({heavy})")


WITHOUT_TORCH = f"""
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {HEAVY}:
            raise ImportError('blocked ' + name)

sys.meta_path.insert(0, Block())
import spacy_cascade, spacy_cascade.errors, spacy_cascade.registry, spacy_cascade.types
import spacy_cascade.taxonomy, spacy_cascade.doc.tokenizer, spacy_cascade.doc.corpus
import spacy_cascade.scoring.scorers, spacy_cascade.models.spec
import spacy_cascade.prompts.compact, spacy_cascade.decoding.copy
print('ok')
"""


@pytest.mark.slow
def test_light_modules_import_where_torch_is_not_installed() -> None:
    assert _run(WITHOUT_TORCH) == "ok"


ADD_COMPONENTS = """
import sys, spacy
nlp = spacy.blank('en')
nlp.add_pipe('cascade_extractor')
nlp.add_pipe('cascade_classifier')
print('spacy_cascade.models.hf' in sys.modules)
print([name for name in ('matplotlib', 'seaborn', 'pandas') if name in sys.modules])
"""


@pytest.mark.slow
def test_adding_components_loads_no_model_code() -> None:
    """The factories are found through entry points, and what runs a model is imported
    on first use.
    """
    assert _run(ADD_COMPONENTS).split("\n") == ["False", "[]"]


# -- Public names


@pytest.mark.parametrize("name", spacy_cascade.__all__)
def test_public_names_are_there(name: str) -> None:
    value = getattr(spacy_cascade, name)
    assert value.__name__ == name
    assert name in dir(spacy_cascade)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = spacy_cascade.nothing


# -- Direction


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements that are run, those in functions included."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _targets(
    node: ast.Import | ast.ImportFrom, package: list[str]
) -> Iterator[tuple[str, str]]:
    """A module and a name in it, which may be a module, too. package (list[str]): Of the
    module that imports.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, ""
        return
    above = package[: len(package) - node.level + 1] if node.level else []
    module = ".".join([*above, *filter(None, [node.module])])
    for alias in node.names:
        yield module, f"{module}.{alias.name}"


def import_graph(package: str) -> dict[str, set[str]]:
    """Module -> the modules of the same package that it imports."""
    files: dict[str, Path] = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        files[".".join(parts)] = path

    graph: dict[str, set[str]] = {name: set() for name in files}
    for name, path in files.items():
        parts = name.split(".")
        within = parts if path.name == "__init__.py" else parts[:-1]
        for node in _imports(ast.parse(path.read_text("utf8"))):
            for module, member in _targets(node, within):
                found = member if member in files else module
                if found in files:
                    graph[name].add(found)
    return graph


def circles(graph: dict[str, set[str]]) -> set[str]:
    """The modules that are left when those that import none of the others are taken
    away again and again, and those that none of the others imports.
    """
    left = set(graph)
    while True:
        imported = {target for name in left for target in graph[name]}
        kept = {name for name in left if graph[name] & left and name in imported}
        if kept == left:
            return left
        left = kept


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}
    assert circles(graph) == {"b", "c"}


@pytest.mark.parametrize("package", ["spacy_cascade", "corpus_tools"])
def test_no_module_imports_itself_through_others(package: str) -> None:
    assert circles(import_graph(package)) == set()
