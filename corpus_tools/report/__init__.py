"""Statistics of corpora, and a self-contained HTML page about them."""
