"""Models: bases, tokens, kernels, classifiers and adapters, and the device that they run on.

The wings build on each other in this order: bases, tokens, kernels, classifiers, adapters.
"""
