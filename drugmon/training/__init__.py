"""Training: recipes, labelled reviews, the split, class balancing, and the loop."""
