"""Training: from labelled reviews and a recipe to a measured adapter; searches and experiments.

May import the wing `compare`, which measures what it trains.
"""
