"""Numbers about verdicts: `profiles` counts, `checks` judges. No files and no rendering.

May import `data`, `models` and `statistics`.
"""
