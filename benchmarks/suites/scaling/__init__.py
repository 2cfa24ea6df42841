"""How time and memory grow, and other projects beside."""
