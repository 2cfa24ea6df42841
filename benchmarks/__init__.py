"""Measurements: suites of benchmarks, their runner, and the tables of the docs."""
