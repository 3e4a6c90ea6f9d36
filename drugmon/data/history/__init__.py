"""The history of runs and of the numbers that reports found.

May import `duckdb` and the modules of `data`.
"""
