"""Importing must stay cheap: torch is loaded when a model is."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module",
    [
        "spacy_cascade",
        "spacy_cascade.taxonomy",
        "spacy_cascade.tokenizers",
        "spacy_cascade.errors",
        "spacy_cascade.ty",
        "spacy_cascade.scorers",
        "spacy_cascade.readers",
        "spacy_cascade.models.spec",
    ],
)
def test_import_does_not_load_torch_or_transformers(module: str) -> None:
    # thinc, which spaCy needs, imports torch by itself where it is installed: only what we add counts
    code = (
        "import sys, types\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'transformers', 'peft', 'accelerate'):\n"
        "            raise ImportError('blocked ' + name)\n"
        "sys.meta_path.insert(0, Block())\n"
        f"import {module}\n"
        "print(sorted(m for m in ('torch', 'transformers', 'peft', 'accelerate') if m in sys.modules))"
    )
    assert _run(code) == "[]"


@pytest.mark.parametrize("module", ["spacy_cascade", "spacy_cascade.taxonomy"])
def test_torch_is_absent_after_plain_import(module: str) -> None:
    code = f"import sys, {module}; print('torch' in sys.modules)"
    assert _run(code) == "False"


def test_factories_are_found_without_importing_the_package() -> None:
    code = (
        "import spacy\n"
        "nlp = spacy.blank('en')\n"
        "print(nlp.has_factory('cascade_extractor'), nlp.has_factory('cascade_classifier'))"
    )
    assert _run(code) == "True True"


def test_adding_a_component_loads_no_model() -> None:
    code = (
        "import sys, spacy\n"
        "nlp = spacy.blank('en')\n"
        "nlp.add_pipe('cascade_extractor')\n"
        "nlp.add_pipe('cascade_classifier')\n"
        "print('transformers' in sys.modules)"
    )
    assert _run(code) == "False"


def test_no_plotting_or_data_libraries_are_needed() -> None:
    """gliner-spacy made plotting libraries hard requirements."""
    code = (
        "import sys\n"
        "import spacy_cascade.pipeline.extractor, spacy_cascade.pipeline.classifier, spacy_cascade.training.loop\n"
        "print([m for m in ('matplotlib', 'seaborn', 'pandas', 'datasets') if m in sys.modules])"
    )
    assert _run(code) == "[]"
