"""Dynamic categorization (DynamicNER, arXiv 2409.11022): every mention gets a type list
of its own, and the corpus stays as coherent and as balanced as it was.
"""
