"""Models: bases, the encoder with its LoRA and heads, the lexical model, the adapter folder."""
