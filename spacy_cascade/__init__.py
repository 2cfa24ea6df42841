"""spacy-cascade: named entity recognition with small local LLMs, as ordinary spaCy components."""

__version__ = "0.1.0"
