"""Commands of `python -m corpus_tools`, one module each."""
