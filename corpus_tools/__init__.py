"""The data side of spacy-cascade: corpora in their published layouts to clean DocBins, and back."""
