"""Synthetic everyday English texts with named entities: hand-written templates, filled with
names, numbers and dates.
"""
