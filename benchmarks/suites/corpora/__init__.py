"""The corpus tools, and texts to train on."""
