"""GGUF files as bases: found (`source`), checked (`reading`), and turned once into an ordinary
model directory (`convert`) with the tokenizer that the file describes (`tokenizer`)."""
