"""Classifiers: reviews in, logits per target out, whatever the base; the lexical model beside.

May import the wings before it: `bases`, `tokens`, `kernels`.
"""
