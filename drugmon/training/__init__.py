"""Training: recipes, labelled reviews, the loop, and trials of settings.

`reviews/` is what is learned from, `loop/` how, `trials/` which settings are tried.
"""
