"""Model calls and tokens of several systems."""
