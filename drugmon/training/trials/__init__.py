"""Trials: plans and searches of settings, and what came of each.

May import the recipe.
"""
