"""Reading reviews and writing verdicts.

`formats/` are files, `duckdb/` tables, `verdicts/` is what is kept of scores, `history/` of runs.
Imports only the ground level.
"""
