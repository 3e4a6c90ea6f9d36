"""Labelled reviews: read, split, balanced, augmented, made into examples.

May import `data` and `models`.
"""
