"""Adapters: the folder of weights, its manifest, calibration and decision rule, and LoRA itself.

May import every other wing of models.
"""
