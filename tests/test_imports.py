"""Importing must stay cheap: torch is loaded when a model is."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_torch_is_absent_after_import() -> None:
    assert _run("import sys, spacy_cascade; print('torch' in sys.modules)") == "False"


@pytest.mark.parametrize(
    "module", ["taxonomy", "doc.tokenizer", "doc.annotations", "models.spec"]
)
def test_light_modules_bring_no_more_than_spacy_does(module: str) -> None:
    """thinc imports torch where it is installed; this package must not add to that."""
    heavy = "[m for m in ('torch', 'transformers', 'peft', 'accelerate') if m in sys.modules]"
    assert _run(f"import sys, spacy_cascade.{module}; print({heavy})") == _run(
        f"import sys, spacy; print({heavy})"
    )


def test_light_modules_import_where_torch_is_not_installed() -> None:
    code = (
        "import sys\nclass Block:\n    def find_spec(self, name, path=None, target=None):\n    "
        "    if name.split('.')[0] in ('torch', 'transformers', 'peft', 'accelerate'):\n       "
        "     raise ImportError('blocked ' + name)\nsys.meta_path.insert(0, Block())\nimport"
        " spacy_cascade, spacy_cascade.errors, spacy_cascade.registry,"
        " spacy_cascade.types\nimport spacy_cascade.taxonomy, spacy_cascade.doc.tokenizer,"
        " spacy_cascade.scoring.scorers, spacy_cascade.doc.corpus\nimport"
        " spacy_cascade.models.spec, spacy_cascade.prompts.compact,"
        " spacy_cascade.decoding.copy\nprint('ok')"
    )
    assert _run(code) == "ok"


def test_adding_components_loads_no_model_code() -> None:
    """The factories are found through entry points, and what runs a model is imported
    on first use.
    """
    code = (
        "import sys, spacy\nnlp ="
        " spacy.blank('en')\nnlp.add_pipe('cascade_extractor')\nnlp.add_pipe('cascade_classifier')\nprint('spacy_cascade.models.hf'"
        " in sys.modules, [m for m in ('matplotlib', 'seaborn', 'pandas') if m in sys.modules])"
    )
    assert _run(code) == "False []"
