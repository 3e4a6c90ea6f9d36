"""DuckDB tables of reviews: opened, read in one go, written in one commit.

May import `verdicts`, `history` and the modules of `data`.
"""
