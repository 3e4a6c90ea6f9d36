"""Layers laid out anew for speed: packed BERT and T5, int8, compiled kernels, attention, LoRA.

May import `bases` and `tokens`.
"""
