"""Reading reviews and writing verdicts.

`formats/` are files, `duckdb/` tables, `verdicts/` is what is kept of scores, `history/` of runs;
`stores/` is for what lies elsewhere.
Imports only the ground level.
"""
