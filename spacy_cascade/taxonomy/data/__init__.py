"""Taxonomies that ship with the package."""
