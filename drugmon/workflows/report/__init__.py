"""Reports: `report` judges scored reviews, the others find what is judged and lay out its folder.

May import everything below workflows.
"""
