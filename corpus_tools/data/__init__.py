"""Data files of the corpus tools."""
