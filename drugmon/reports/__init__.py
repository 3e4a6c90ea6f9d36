"""Numbers made readable: pages, plots and cards.

`plots/` are coordinates for the templates, `analysts/` the pages by evidently, its only home.
"""
