"""Measuring models on labelled reviews: one by one (`evaluate`) or against each other (`compare`).

May import everything below workflows.
"""
