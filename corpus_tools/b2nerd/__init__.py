"""B2NERD's refinement of many data sets into one: label standardization, conflict
detection, pruning.
"""
