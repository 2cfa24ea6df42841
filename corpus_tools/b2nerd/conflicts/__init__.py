"""Conflict detection between data sets (B2NER, arXiv 2406.11192, section 3.1).

Two data sets conflict where they give the same mentions different annotation although
both claim the type. The search has two sources: the mention strings that two sets share
(`rules`), and taggers trained on one set and scored on the others (`model`). Both end
in one ranked list with a proposed split of the label (`rank`).
"""
