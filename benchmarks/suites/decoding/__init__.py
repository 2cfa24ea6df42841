"""The decoding engine and its settings."""
