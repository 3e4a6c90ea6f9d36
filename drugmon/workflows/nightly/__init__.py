"""The nightly job: `nightly` scores and reports all sources, the others are settings and state.

May import the wings `score` and `report`.
"""
