"""Suites by group. The function `run` of a module measures and returns a dict."""
