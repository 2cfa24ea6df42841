"""How fast trained pipelines are."""
